"""The one figure style: sizes, font, fixed colours, and files that are the same bytes every time."""

from pathlib import Path
from types import MappingProxyType

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

from vctlib.anatomy import LabelTable, paper_class, tissue
from vctlib.errors import InputError
from vctlib.files import written_whole

PAGE_WIDTH = 10.0  # inches; the book's text is about as wide
DOTS_PER_INCH = 150

# Okabe and Ito's palette, told apart with every common colour blindness. Source: wong2011.
COLOURS = MappingProxyType(
    {
        "reference": "#0072B2",
        "real": "#0072B2",  # what a trial calls the reference cohort
        "reconstructed": "#009E73",
        "synthetic": "#D55E00",
        "synthetic_rebiased": "#E69F00",
        "real_weighted": "#56B4E9",
        "train": "#C4C4C4",
        "ID": "#4D4D4D",
        "OOD": "#CC79A7",
    }
)
MARKERS = MappingProxyType({"train": "o", "ID": "o", "OOD": "^"})  # the shape says it again
ERROR_COLOURS = "cividis"  # even in lightness and the same for colour-blind readers; nunez2018

# One colour for each of the paper's classes, near to how anatomy atlases paint them; other structures by tissue.
_CLASS_COLOURS = MappingProxyType(
    {
        "bone": "#F2E6C4",
        "spleen": "#8E5BB5",
        "kidney": "#C98A3C",
        "liver": "#A6432D",
        "lung_upper_lobes": "#8CC9F0",
        "lung_lower_lobes": "#3A86C8",
        "lung_middle_lobe": "#5ED0C6",
        "urinary_bladder": "#F5D90A",
        "prostate": "#5BA85B",
        "heart": "#E8384F",
        "aorta": "#FF7A5C",
        "gluteus_muscles": "#D65A8A",
        "autochthonous_muscles": "#B8407A",
        "iliopsoas": "#F08CB4",
        "brain": "#F6B7C8",
        "appendicular_bones": "#C9B27A",
    }
)
_TISSUE_COLOURS = MappingProxyType(
    {"fat": "#F7D774", "muscle": "#B5475B", "gas": "#5E7080", "skin": "#E0AC8A", "organ": "#9FB59A"}
)


def set_style() -> None:
    """Set font, sizes and colours for every figure that follows."""
    sns.set_theme(style="ticks", context="notebook", font="DejaVu Sans", font_scale=0.8)
    mpl.rcParams.update(
        {
            "figure.figsize": (PAGE_WIDTH, 4.0),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "savefig.dpi": DOTS_PER_INCH,
            "savefig.facecolor": "white",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlesize": "medium",
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E6E6E6",
            "grid.linewidth": 0.6,
            "legend.frameon": False,
            "xtick.major.size": 3.5,
            "ytick.major.size": 3.5,
            "axes.linewidth": 0.9,
            "svg.fonttype": "none",  # text stays text: small, searchable, read aloud
            "svg.hashsalt": "vctlib",  # the same identifiers in every run
        }
    )


def label_colours(table: LabelTable) -> dict[int, str]:
    """A fixed colour for each label number: that of its class in the paper, else of its tissue."""
    return {
        number: _CLASS_COLOURS.get(name)
        or _CLASS_COLOURS.get(paper_class(name) or "")
        or _TISSUE_COLOURS.get(tissue(name), _TISSUE_COLOURS["organ"])
        for number, name in table.items()
    }


def save_figure(figure: Figure, path: Path | str) -> tuple[Path, Path]:
    """Write `path` as .svg and as .png beside it, each whole or not at all; returns both paths.

    The same figure gives the same bytes: no date, no program version. Raises InputError for another file type.
    """
    path = Path(path)
    if path.suffix not in ("", ".svg", ".png"):
        raise InputError(f"{path}: figures are written as .svg and .png; leave the ending out")
    written = []
    for suffix, metadata in ((".svg", {"Date": None, "Creator": None}), (".png", {"Software": None})):
        target = path.with_suffix(suffix)
        with written_whole(target) as temporary, mpl.rc_context({"svg.hashsalt": "vctlib"}):
            figure.savefig(temporary, format=suffix[1:], dpi=DOTS_PER_INCH, metadata=metadata)
        written.append(target)
    return written[0], written[1]
