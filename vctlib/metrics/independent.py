"""Every body measured alike: the independent segmenter looks at the image, appendix B measures what it finds.

The same segmenter serves reference, reconstructed and synthetic bodies, so that its own error is common to all of
them. Where a cohort has label maps of its own (exact ones, or generated beside the image), they are compared with the
independent segmentation, class by class.

Source: killeen2025 sections 1.3, 1.4 and appendix B.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from vctlib.anatomy import MEASURE, PAPER16, reduce_labels
from vctlib.cohort import Cohort
from vctlib.config import Profile
from vctlib.errors import InputError
from vctlib.files import sha256
from vctlib.measure import measure_body
from vctlib.metrics.anatomy_figures import anatomy_figures, detached_percent
from vctlib.metrics.consistency import compare_labels
from vctlib.networks.inference import segment
from vctlib.rows import resumable_table

_CONSISTENCY = "consistency"  # prefix of the columns that `consistency_rows` unfolds
_ANATOMY = "anatomy"  # prefix of the columns that `anatomy_of` takes out
SOURCES = ("image", "labels")  # the segmenter's labels of the image, and the cohort's own
_ROWS = 2  # changes with the columns of a row: rows of another version are made again


def measure_independently(
    cohort: Cohort, segmenter: nn.Module, weights: Path, profile: Profile, folder: Path
) -> pd.DataFrame:
    """Measurements of every subject of a cohort, indexed by subject_id; rows are kept in `folder` as they are made.

    Beside the columns of `measure_body`, columns `consistency/<structure>/<figure>` compare the cohort's own label
    maps with the segmenter's, and columns `anatomy/<source>/<structure>/<figure>` describe the body's plan as each of
    the `SOURCES` has it.
    """

    def row(subject_id: str) -> dict[str, float]:
        hu, affine = cohort.ct(subject_id)
        found = segment(segmenter, hu, profile)
        values = dict(measure_body(hu, found, MEASURE, affine))
        plan = anatomy_figures(found, MEASURE, affine) | {"body/detached_percent": detached_percent(hu)}
        values |= {f"{_ANATOMY}/image/{name}": value for name, value in plan.items()}
        if cohort.has_labels:
            own = reduce_labels(cohort.labels(subject_id), cohort.info.labels, PAPER16)
            values |= _compare(subject_id, own, reduce_labels(found, MEASURE, PAPER16), affine)
            plan = anatomy_figures(own, PAPER16, affine)
            values |= {f"{_ANATOMY}/labels/{name}": value for name, value in plan.items()}
        return values

    key = f"{_ROWS} {sha256(weights)} {sha256(cohort.path / 'cohort.json')} {cohort.table.to_csv()}"
    return resumable_table(folder, cohort.subjects, row, key=key, label=f"measuring {cohort.info.name} people")


def _compare(subject_id: str, own: np.ndarray, found: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    centre = _body_centre(own, affine)
    rows = compare_labels(subject_id, own, found, affine, origin_mm=centre).drop(columns="subject_id")
    return {
        f"{_CONSISTENCY}/{row.structure}/{figure}": getattr(row, figure)
        for row in rows.itertuples()
        for figure in rows.columns.drop("structure")
    }


def _body_centre(labels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    occupied = np.argwhere(labels > 0)
    voxel = occupied.mean(axis=0) if len(occupied) else np.array(labels.shape) / 2
    return affine[:3, :3] @ voxel + affine[:3, 3]


def consistency_rows(measured: pd.DataFrame) -> pd.DataFrame:
    """The comparison columns as one row a subject and structure, ready for `consistency.summarize`; no row where the
    cohort has no label maps."""
    columns = [name for name in measured if name.startswith(f"{_CONSISTENCY}/")]
    if not columns:
        return pd.DataFrame({"subject_id": [], "structure": [], "dice": np.empty(0)})
    long = measured[columns].rename_axis("subject_id").reset_index().melt("subject_id")
    long[["_", "structure", "figure"]] = long["variable"].str.split("/", expand=True)
    wide = long.pivot(index=["subject_id", "structure"], columns="figure", values="value").reset_index()
    return wide.rename_axis(columns=None)


def measurements(measured: pd.DataFrame) -> pd.DataFrame:
    """The measurement columns alone."""
    return measured[[name for name in measured if not name.startswith(f"{_CONSISTENCY}/")]]


def anatomy_of(measured: pd.DataFrame, source: str) -> pd.DataFrame:
    """The figures of `anatomy_figures` for one of the `SOURCES`, as columns `<structure>/<figure>`.

    Raises InputError where the table has none: it was made before they were measured, or the cohort has no labels.
    """
    prefix = f"{_ANATOMY}/{source}/"
    columns = [name for name in measured if name.startswith(prefix)]
    if not columns:
        raise InputError(f"the table has no columns {prefix}...; measure the cohort again with notebooks 08 and 09")
    return measured[columns].rename(columns=lambda name: name.removeprefix(prefix))
