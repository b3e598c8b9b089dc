"""Figures in one style: bodies on a page, charts of the results, tables beside the paper's."""

from vctlib.plots.bodies import label_overlay, page_of_people, projection
from vctlib.plots.charts import (
    conditioning_boxplots,
    error_map,
    error_violins,
    scatter_identity,
    split_scatter,
    training_curves,
)
from vctlib.plots.one_person import one_person
from vctlib.plots.style import COLOURS, PAGE_WIDTH, label_colours, save_figure, set_style
from vctlib.plots.tables import table_beside_paper

__all__ = [
    "COLOURS",
    "PAGE_WIDTH",
    "conditioning_boxplots",
    "error_map",
    "error_violins",
    "label_colours",
    "label_overlay",
    "one_person",
    "page_of_people",
    "projection",
    "save_figure",
    "scatter_identity",
    "set_style",
    "split_scatter",
    "table_beside_paper",
    "training_curves",
]
