"""Table A4 with the features at hand: how far are slices of one cohort from slices of another, by region and plane?

Features are the 320 channels of the last block of an ImageNet EfficientNet-Lite0, averaged over the slice; it installs
from a package index. Its 1280 features behind that block would need four times as many people for a covariance of full
rank. Distances in another feature space (the paper's Inception) do not compare. Every cohort is held against the same
reference people, those for training, and beside it stand people whom no network has seen: what those show is the
floor, because no measure of samples is perfect even where both are real.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from torch import Tensor, nn

from vctlib.anatomy import PAPER16, reduce_labels
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.metrics.frechet import frechet_distance
from vctlib.metrics.intervals import half_sample_interval
from vctlib.metrics.kernel_distance import kernel_distance
from vctlib.metrics.neighbours import neighbours
from vctlib.metrics.regions import REGIONS, Region
from vctlib.metrics.slices import PLANES, Plane, backbone_extractor, central_slices, crop_region, slice_features
from vctlib.networks.backbone import EfficientNetLite0Features
from vctlib.networks.inference import device

Body = tuple[np.ndarray, np.ndarray | None]  # CT (x, y, z; HU) and label map in numbers of PAPER16, where there is one
Features = Mapping[tuple[Region, Plane], np.ndarray]  # (people, slices, 320) by region and plane
N_SLICES = 3  # of each region and plane, spread over the middle third
AVERAGE = "average"  # over the planes, as the paper's Avg.
FEWEST = 4  # people in an arm, below which half of it has no covariance
_AT_MOST_ONE = ("precision", "recall", "coverage")


class _LastBlock(nn.Module):
    """Slices (n, 3, height, width) -> averaged channels of the last block (n, 320)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite0Features()

    def forward(self, slices: Tensor) -> Tensor:
        return self.backbone.stages(slices)[-1].mean((2, 3))


def plane_features(volumes: Sequence[np.ndarray], n_slices: int = 1) -> dict[Plane, np.ndarray]:
    """Features (people, slices, 320) by plane, of `n_slices` slices of the middle third of volumes (x, y, z; HU)."""
    extractor = backbone_extractor(_LastBlock().to(device()))
    return {plane: slice_features(volumes, extractor, plane, n_slices=n_slices) for plane in PLANES}


def bodies(cohort: Cohort, *, with_labels: bool = True) -> Iterator[Body]:
    """CT and label map of each subject of a cohort, one in memory at a time.

    Where some of the cohorts that are compared have no label maps, take all `with_labels` false: then regions are cut
    by one rule in all of them (see `region_bounds`).
    """
    for subject_id in cohort.subjects:
        labels = cohort.labels(subject_id) if with_labels and cohort.has_labels else None
        reduced = None if labels is None else reduce_labels(labels, cohort.info.labels, PAPER16)
        yield cohort.ct(subject_id)[0], reduced


def region_features(people: Iterable[Body], n_slices: int = N_SLICES) -> Features:
    """Features of a cohort by region and plane, each body read once; float32, some 50 kB a person.

    Raises InputError where there is nobody.
    """
    extractor = backbone_extractor(_LastBlock().to(device()))
    found: dict[tuple[Region, Plane], list] = {(region, plane): [] for region in REGIONS for plane in PLANES}
    for hu, labels in people:
        for region in REGIONS:
            part = crop_region(hu, region, labels)
            for plane in PLANES:
                found[region, plane].append(extractor(central_slices(part, plane, n_slices)).astype(np.float32))
    if not found["full_body", "axial"]:
        raise InputError("there are no bodies to take features from")
    return {place: np.stack(features) for place, features in found.items()}


def realism_table(
    arms: Mapping[str, Features],
    *,
    against: str = "training",
    floor: str = "reference",
    draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Every measure of every arm against the same real people, by region and plane and as the mean over the planes.

    `arms`: name -> features; `against` is what all others are compared with, `floor` an arm of other real people. So
    that arms compare they should have as many people as the floor has; matched arms list them in the same order.
    Columns region, plane, arm, measure, value, low, high, n (people of the arm), n_against. Measures: `frechet`,
    `frechet_over_floor`, `kernel` (see `kernel_distance`), `precision`, `recall`, `density`, `coverage`; all in units
    of the features or 1. Intervals: `half_sample_interval`, cut to the values that a measure can take.
    Raises InputError for fewer than four people in an arm.
    """
    n = {name: len(next(iter(features.values()))) for name, features in arms.items()}
    if min(n.values()) < FEWEST:
        raise InputError(f"half of an arm must be two people or more; there are {n}")
    everybody = _measures(arms, against, floor, None)
    halves = []
    for draw in range(draws):
        # One order for each size: arms of the same people keep them paired.
        chosen = {}
        for name, size in n.items():
            order = np.random.default_rng([seed, draw, name == against]).permutation(size)
            chosen[name] = np.sort(order[: size // 2])
        halves.append(_measures(arms, against, floor, chosen).to_numpy())
    low, high = half_sample_interval(everybody.to_numpy(), np.stack(halves))
    table = everybody.rename("value").to_frame().assign(low=low, high=high).reset_index()
    measure = table["measure"]
    table.loc[measure != "kernel", "low"] = table["low"].clip(lower=0)
    table.loc[measure.isin(_AT_MOST_ONE), "high"] = table["high"].clip(upper=1)
    return table.assign(n=table["arm"].map(n), n_against=n[against])


def _measures(
    arms: Mapping[str, Features], against: str, floor: str, chosen: Mapping[str, np.ndarray] | None
) -> pd.Series:
    """Value of each measure, indexed by region, plane, arm and measure; `chosen`: arm -> rows, None for all."""
    # Slices of a person are not independent, so people count: fewer than features have no covariance of full rank.
    fewest = min(len(features["full_body", "axial"]) for features in arms.values())
    covariance = "sample" if fewest // 2 > arms[against]["full_body", "axial"].shape[-1] else "ledoit_wolf"
    rows = {}
    for region, plane in arms[against]:
        side = {name: own[region, plane] if chosen is None else own[region, plane][chosen[name]]
                for name, own in arms.items()}  # fmt: skip
        real = side.pop(against)
        for name, features in side.items():
            rows[region, plane, name] = {
                "frechet": frechet_distance(real, features, covariance).value,
                "kernel": kernel_distance(real, features),
                **neighbours(real, features)._asdict(),
            }
    index = pd.MultiIndex.from_tuples(rows, names=["region", "plane", "arm"])
    table = pd.DataFrame(list(rows.values()), index=index)
    mean = table.groupby(["region", "arm"], sort=False).mean().assign(plane=AVERAGE)
    table = pd.concat([table, mean.set_index("plane", append=True).reorder_levels(table.index.names)])
    of_floor = table["frechet"].xs(floor, level="arm").reindex(table.index.droplevel("arm")).to_numpy()
    table.insert(1, "frechet_over_floor", table["frechet"] / of_floor)
    return table.rename_axis(columns="measure").stack()
