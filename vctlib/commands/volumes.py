"""People to turn round in a page of the book: the directive `volumes`, given the list that study 17 writes.

What the page needs is copied into the build. It holds a picture of the first person, and the controls, which a script
shows where there is WebGL; the viewer and a body's volume are fetched only when the reader asks for them.
"""

import json
from html import escape
from pathlib import Path, PurePosixPath
from string import Template

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

VIEWER = "_static/viewer"  # our own; below book/vendor
NIIVUE = "_static/niivue/niivue.umd.js"
KEYS = {"windows", "structures", "people"}  # of the list

_PERSON = Template("""<label class="bodies-person"><input type="radio" name="$group" value="$id"$checked>
<img src="$small" alt="" loading="lazy">
<span><b>$sex, $age_years</b>$build<br>$height_cm&nbsp;cm<br>$weight_kg&nbsp;kg</span></label>
""")
_STRUCTURE = Template("""<button type="button" data-number="$number" aria-pressed="false">
<i style="background:$colour"></i>$name</button>
""")
_PAGE = Template("""
<div class="bodies" id="$group" data-niivue="$niivue" role="group" aria-label="People to turn round">
<script type="application/json">$list</script>
<fieldset class="bodies-people" hidden><legend>Sex and age, build, height and weight</legend>
<div style="--across: $across">$people</div></fieldset>
<div class="bodies-stage">
<img class="bodies-still" src="$still" alt="$title: coronal and sagittal slice with labels, radiograph">
<canvas hidden></canvas>
<button type="button" class="bodies-show" hidden>Turn this person round <small></small></button>
<p class="bodies-wait" role="status"></p></div>
<p class="bodies-title"><span>$title</span><output></output></p>
<p class="bodies-controls" hidden>
<label>Window <select data-what="window">$windows</select></label>
<label>View <select data-what="view"><option value="all">slices and rendering</option>
<option value="rendering">rendering</option><option value="coronal">coronal</option>
<option value="sagittal">sagittal</option><option value="axial">axial</option></select></label>
<label>Opacity of the labels <input data-what="labels" type="range" min="0" max="1" step="0.05" value="0.4"></label>
<label>Turn round <input data-what="turn" type="range" min="-180" max="180" step="5" value="25"></label>
<label>Slice, from feet to head <input data-what="level" type="range" min="0" max="1" value="0"></label>
<label>Cut open, from the front <input data-what="cut" type="range" min="0" max="1" step="0.02" value="0"></label>
</p>
<div class="bodies-legend" role="group" aria-label="Show only these structures" hidden>
$structures</div>
<p class="bodies-help" hidden>Drag in a slice to move, in the rendering to turn; on a touch screen, tap the picture
first. Arrow keys turn and move up and down. The window decides what the rendering shows: the body in its skin, muscles
and organs, the skeleton, or the lungs. A name in the legend shows that structure alone. The person's right is on the
left.</p>
<p class="bodies-failed" hidden><span></span>The picture shows the person who is chosen: a coronal and a sagittal slice
with the labels over them, and a radiograph.</p>
<noscript><p>Scripts are switched off, so nobody can be turned round here. The picture shows one of the people: a
coronal and a sagittal slice with the labels over them, and a radiograph.</p></noscript>
</div>
<script src="$viewer/drawing.js" defer></script>
<script src="$viewer/volumes.js" defer></script>
""")


class Volumes(SphinxDirective):
    """`:::{volumes} results/laptop/volumes/gallery.json`, relative to the book."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = PurePosixPath(self.arguments[0])
        file = Path(self.env.srcdir) / path
        self.env.note_dependency(str(file))
        try:
            listed = json.loads(file.read_text())
        except (OSError, ValueError) as problem:
            raise self.error(f"{path}: not a readable list of people ({problem}); study 17 makes it") from None
        if not isinstance(listed, dict) or not KEYS <= set(listed) or not listed["people"]:
            raise self.error(f"{path}: not a list of people with {', '.join(sorted(KEYS))}; study 17 makes it")
        for person in listed["people"]:
            script = file.parent / person["script"]
            if not script.is_file():
                raise self.error(f"{path}: {person['script']} is not beside it; run study 17 again")
            person["bytes"] = script.stat().st_size
            for kind in ("script", "still", "small"):
                person[kind] = self.copied(path.parent / person[kind])
        listed["viewer_bytes"] = (Path(self.env.srcdir) / "vendor" / "niivue" / "niivue.umd.js").stat().st_size
        number = self.env.new_serialno("bodies")
        return [nodes.raw("", page(listed, f"bodies-{number}", self.root), format="html")]

    @property
    def root(self) -> str:
        """The way from this page to the first one's folder: `` or `../`, as often as needed."""
        return "../" * self.env.docname.count("/")

    def copied(self, path: PurePosixPath) -> str:
        """The address, from this page, of a file below the book that the build will copy."""
        self.env.note_dependency(str(Path(self.env.srcdir) / path))
        return f"{self.root}_downloads/{self.env.dlfiles.add_file(self.env.docname, str(path))}"


def page(listed: dict, group: str, root: str = "") -> str:
    """The HTML of a list of people with addresses; `group` is its id, `root` the way to the first page's folder."""
    people = listed["people"]
    first = people[0]
    windows = [f"<option>{escape(window['name'])}, {escape(window['range'])}</option>" for window in listed["windows"]]
    return _PAGE.substitute(
        group=group,
        niivue=root + NIIVUE,
        viewer=root + VIEWER,
        list=json.dumps(listed).replace("<", "\\u003c"),  # so that no name can end the script
        across=sum(person["age_years"] == first["age_years"] for person in people),
        people="".join(_card(person, group, person is first) for person in people),
        still=escape(first["still"]),
        title=escape(first["title"]),
        windows="".join(windows),
        structures="".join(_STRUCTURE.substitute(_escaped(structure)) for structure in listed["structures"]),
    )


def _card(person: dict, group: str, chosen: bool) -> str:
    whole = {name: f"{person[name]:.0f}" for name in ("age_years", "height_cm", "weight_kg")}
    return _PERSON.substitute(_escaped(person | whole), group=group, checked=" checked" * chosen)


def _escaped(values: dict) -> dict[str, str]:
    return {name: escape(str(value)) for name, value in values.items()}


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_directive("volumes", Volumes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
