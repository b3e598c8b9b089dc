"""Widgets that page through a cohort in JupyterLab, real people beside synthetic ones of the same attributes."""

import io

import matplotlib.pyplot as plt

from vctlib.anatomy import PAPER16
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.view import BACKENDS, show
from vctlib.view.pairs import Pairs, describe, page_of_pairs, paper_labels


class Pager:
    """Whom to show (a slider, moved by the arrow keys too), how, and whether with labels; `box` is to be displayed.

    `pairs` as of `pair_people`, `first` the id to begin with. How: a page of slices with up to three synthetic people
    of one real person, or a viewer of `show`, with the real person on the left and the first synthetic one on the
    right.
    """

    def __init__(self, real: Cohort, synthetic: Cohort, pairs: Pairs, first: str | None = None) -> None:
        import ipywidgets

        self._widgets, self._cohorts, self._pairs = ipywidgets, (real, synthetic), pairs
        wide, people = ipywidgets.Layout(width="100%"), list(pairs)
        who = {"options": people, "value": first or people[0], "description": "Person", "layout": wide}
        self.person = ipywidgets.SelectionSlider(**who, continuous_update=False)
        self.about = ipywidgets.Label()
        self.way = ipywidgets.Dropdown(options=list(BACKENDS), value="slices", description="Shown by")
        without = not (real.has_labels and synthetic.has_labels)
        self.labels = ipywidgets.Checkbox(value=False, description="Labels", disabled=without)
        self.place = ipywidgets.HBox(layout=wide)
        controls = ipywidgets.HBox([self.way, self.labels, self.about])
        self.box = ipywidgets.VBox([self.person, controls, self.place])
        for control in (self.person, self.way, self.labels):
            control.observe(self._draw, names="value")
        self._draw()

    def _draw(self, _change: dict | None = None) -> None:
        before = self.place.children
        self.about.value = describe(self._cohorts[0], self.person.value)
        try:
            self.place.children = self._drawn()
        except InputError as reason:  # a viewer that is not installed, a volume that cannot be read
            self.place.children = [self._widgets.Label(str(reason))]
        for widget in before:  # a browser keeps a few 3D views only
            widget.close()

    def _drawn(self) -> list:
        (real, synthetic), person = self._cohorts, self.person.value
        if self.way.value == "slices":
            return [self._picture(page_of_pairs(real, synthetic, {person: self._pairs[person]}, self.labels.value))]
        beside = ((real, person), (synthetic, self._pairs[person][0]))
        maps = [paper_labels(*each) if self.labels.value else None for each in beside]
        given = {"table": PAPER16, "backend": self.way.value}
        viewers = [show(each, own, **given) for each, own in zip(beside, maps, strict=True)]
        for viewer in viewers:
            viewer.layout.width = "50%"
        return viewers

    def _picture(self, figure: plt.Figure):
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=100)
        plt.close(figure)
        return self._widgets.Image(value=file.getvalue(), format="png")
