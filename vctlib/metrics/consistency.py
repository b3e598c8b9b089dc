"""Do a synthetic image and the labels that came with it show the same anatomy? (the paper's Table 1 of organs)

Both label maps of a body use the 16 classes of the paper: the ones that the generator gave, and those that an
independent segmenter finds in the generated image. Dice compares them voxel by voxel; volumes and centroids are
correlated over the bodies. The same functions serve other pairs, such as a segmenter against a phantom's truth.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import ndimage

from vctlib.anatomy import PAPER16, LabelTable
from vctlib.errors import InputError
from vctlib.metrics.intervals import bootstrap, pearson

AXES = ("right", "anterior", "superior")
AVERAGE = "average"


def dice(generated: np.ndarray, independent: np.ndarray, table: LabelTable = PAPER16) -> dict[str, float]:
    """Dice of each class between two label maps (x, y, z) that use the numbers of `table`.

    2 |A and B| / (|A| + |B|); NaN where a class is absent from both, 0 where it is absent from one. Source: dice1945.
    """
    both = _counts(np.where(generated == independent, generated, 0), table)
    total = _counts(generated, table) + _counts(independent, table)
    with np.errstate(invalid="ignore"):
        values = np.where(total > 0, 2 * both / np.maximum(total, 1), np.nan)
    return dict(zip(table.values(), values.tolist(), strict=True))


def geometry(
    labels: np.ndarray, affine: np.ndarray, table: LabelTable = PAPER16, origin_mm: Iterable[float] = (0, 0, 0)
) -> pd.DataFrame:
    """Volume (ml) and centroid (mm; right, anterior, superior of `origin_mm`) of each class; NaN where it is absent.

    An absent class has the volume 0. The paper's centroids are relative to the patient: give the body's centre as
    `origin_mm`, the same for both label maps of a body, or differences of position on the table count as agreement.
    """
    numbers = list(table)
    volume_ml = _counts(labels, table) * abs(np.linalg.det(affine[:3, :3])) / 1000
    present = [number for number, volume in zip(numbers, volume_ml, strict=True) if volume > 0]
    centroids = np.full((len(numbers), 3), np.nan)
    if present:
        voxels = np.array(ndimage.center_of_mass(np.ones(labels.shape, np.uint8), labels, present))
        world = voxels @ affine[:3, :3].T + affine[:3, 3] - np.asarray(tuple(origin_mm), float)
        centroids[[numbers.index(number) for number in present]] = world
    return pd.DataFrame(centroids, columns=list(AXES), index=list(table.values())).assign(volume_ml=volume_ml)


def compare_labels(
    subject_id: str,
    generated: np.ndarray,
    independent: np.ndarray,
    affine: np.ndarray,
    table: LabelTable = PAPER16,
    origin_mm: Iterable[float] = (0, 0, 0),
) -> pd.DataFrame:
    """One row a class for one body: dice, and volume and centroid in both label maps. Rows of bodies are stacked.

    Raises InputError for label maps of different shape or with numbers that `table` does not name.
    """
    if generated.shape != independent.shape:
        raise InputError(f"{subject_id}: the label maps have shapes {generated.shape} and {independent.shape}")
    for labels in (generated, independent):
        unknown = sorted(set(np.unique(labels).tolist()) - {0} - set(table))
        if unknown:
            raise InputError(f"{subject_id}: label numbers {unknown} are not in the table; reduce the labels first")
    origin_mm = tuple(origin_mm)
    first = geometry(generated, affine, table, origin_mm).add_suffix("_generated")
    second = geometry(independent, affine, table, origin_mm).add_suffix("_independent")
    rows = first.join(second).assign(dice=pd.Series(dice(generated, independent, table)), subject_id=subject_id)
    return rows.rename_axis("structure").reset_index()


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """The paper's table: one row a class and the average, from stacked rows of `compare_labels`.

    Columns: dice_mean, dice_sd (n - 1), n (bodies with the class in either map), volume_r over those n, and
    centroid_<axis>_r over the centroid_n bodies with the class in both maps. NaN, not an error, where a class is too
    rare. The average is over the classes that have a value; the paper's dice_sd there is the mean of the classes'
    SDs (once "1.048" of its appendicular bones is read as 0.048: no Dice has an SD above 0.5), and so is this one.
    """
    structures = {name: _summarize_class(group) for name, group in rows.groupby("structure", sort=False)}
    table = pd.DataFrame.from_dict(structures, orient="index").rename_axis("structure")
    return pd.concat([table, average_row(table)])


def dice_estimates(rows: pd.DataFrame, person_of: pd.Series | None = None) -> pd.DataFrame:
    """Mean Dice of each class and their average with 95 % intervals, from stacked rows of `compare_labels`.

    Columns dice, dice_low, dice_high and n, the people: percentile bootstrap over them. `person_of`: subject_id to
    the person whose attributes a body has; bodies of one person are averaged first. None: every body is a person.
    """
    wide = rows.pivot(index="subject_id", columns="structure", values="dice")[rows["structure"].unique()]
    if person_of is not None:
        wide = wide.groupby(person_of.reindex(wide.index).to_numpy()).mean()
    values = {name: wide[name].dropna().to_numpy() for name in wide}
    estimates = {name: bootstrap(np.mean, own, n_resamples=1000) for name, own in values.items()}
    found = wide.loc[:, wide.notna().any()].to_numpy()
    estimates[AVERAGE] = bootstrap(_mean_of_means, found, n_resamples=1000)
    columns = {
        name: {"dice": e.value, "dice_low": e.ci95[0], "dice_high": e.ci95[1], "n": e.n}
        for name, e in estimates.items()
    }
    return pd.DataFrame.from_dict(columns, orient="index").rename_axis("structure")


def average_row(table: pd.DataFrame) -> pd.DataFrame:
    """The row "average": the mean of each column over the classes that have a value; counts have none."""
    means = table.mean(axis=0, skipna=True)
    means[[name for name in table if name == "n" or name.endswith("_n")]] = np.nan
    return means.to_frame(AVERAGE).T.rename_axis(table.index.name)


def _summarize_class(group: pd.DataFrame) -> dict[str, float]:
    anywhere = group[(group["volume_ml_generated"] > 0) | (group["volume_ml_independent"] > 0)]
    volume = pearson(anywhere["volume_ml_generated"], anywhere["volume_ml_independent"])
    row = {
        "dice_mean": anywhere["dice"].mean(),
        "dice_sd": anywhere["dice"].std(ddof=1),
        "n": len(anywhere),
        "volume_r": volume.value,
    }
    for axis in AXES:
        centroid = pearson(anywhere[f"{axis}_generated"], anywhere[f"{axis}_independent"])
        row |= {f"centroid_{axis}_r": centroid.value, "centroid_n": centroid.n}
    return row


def _mean_of_means(values: np.ndarray) -> float:
    """Mean over classes (columns) of the mean over people (rows); what is NaN, or a class of NaN alone, has no part."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    means = np.where(known, values, 0).sum(axis=0)[n > 0] / n[n > 0]
    return float(means.mean()) if len(means) else float("nan")


def _counts(labels: np.ndarray, table: LabelTable) -> np.ndarray:
    return np.bincount(labels.ravel(), minlength=max(table) + 1)[list(table)]
