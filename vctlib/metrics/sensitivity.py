"""How much do the generator's answers depend on how it is trained and sampled? One arm a change, all measured alike.

Every arm asks for the same people, and by default from the same seeds, so that arms differ by their change alone.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field, PositiveFloat, ValidationError

from vctlib.cohort_config import Strict
from vctlib.config import first_problem
from vctlib.errors import InputError
from vctlib.metrics.frechet import FrechetDistance, at_same_n, real_to_real
from vctlib.metrics.independent import consistency_rows
from vctlib.metrics.intervals import Estimate, bootstrap, pearson
from vctlib.metrics.realism import PLANES

UNITS = {
    "height_r": "1",
    "height_mae": "cm",
    "mass_r": "1",
    "mass_mae": "kg",
    "body_fat_difference": "pp",
    "body_fat_spread": "1",
    "dice": "1",
    "frechet": "1",
}
_DRAWS = 5  # random halves of each side behind a Fréchet distance
_FEWEST = 2  # people in such a half, below which there is no distance
NOTHING = Estimate(float("nan"), (float("nan"), float("nan")), 0)


class Arm(Strict):
    """What one arm changes; without any, the generator as it is."""

    synthesis: dict[str, Any] = {}  # settings of the profile's section `synthesis`
    seed: int | None = None  # of the sampling; None is the notebook's
    models: str | None = None  # folder of all the generator's weights
    latent_diffusion: dict[str, Any] = {}  # settings of the profile's section: the diffusion is trained again
    people_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of the training people: it is trained again
    steps_share: PositiveFloat = 1.0  # of the training steps: it is trained again
    post_processing: bool = True  # false leaves decoded images as they are
    organs: bool = True  # false tells nothing of what organs look like

    @property
    def retrained(self) -> bool:
        return bool(self.latent_diffusion) or (self.people_share, self.steps_share) != (1.0, 1.0)


def read_arms(given: Mapping[str, Mapping]) -> dict[str, Arm]:
    """Arms by name, in their order. Raises InputError: none, an unknown key, or both models and training."""
    arms = {}
    for name, settings in given.items():
        try:
            arms[name] = Arm.model_validate(dict(settings))
        except ValidationError as error:
            raise InputError(f"arm {name!r}: {first_problem(error)}") from None
        if arms[name].retrained and arms[name].models:
            raise InputError(f"arm {name!r}: names a folder of weights and asks for training; it can have one of both")
    if not arms:
        raise InputError("no arms; each needs a name and what it changes, such as {'guided': {'synthesis': {...}}}")
    return arms


def measure_arm(
    asked: pd.DataFrame,
    found: pd.DataFrame,
    reference_found: pd.DataFrame,
    features: Mapping[str, Sequence[np.ndarray]],
    seed: int = 0,
) -> pd.DataFrame:
    """The measures of one arm: index `measure`, columns value, low, high, n, unit.

    asked: table of a synthetic cohort with one body a person; found, reference_found: rows of `measure_independently`
    for it and for the people who are matched. features: plane -> (those of the people, those of the bodies), each
    (bodies, features).
    `body_fat_difference` is synthetic less matched person, `body_fat_spread` the ratio of standard deviations, `dice`
    the mean over a body's structures (NaN for bodies without a label map); the Fréchet distance is the mean over
    planes, at half the people on each side, and its interval spans random halves. The others are bootstrapped over
    bodies, correlations by Fisher.
    """
    asked = asked.loc[found.index]
    matched = reference_found.loc[asked["reference_id"]]
    rows = {}
    for name, wanted, column in (
        ("height", asked["height_cm"], "height_cm_measured"),
        ("mass", asked["weight_kg"], "mass_kg_measured"),
    ):
        rows[f"{name}_r"] = pearson(wanted, found[column])
        rows[f"{name}_mae"] = bootstrap(np.mean, (found[column] - wanted).abs().dropna(), seed=seed)
    fat = pd.DataFrame(
        {
            "synthetic": found["body_fat_percent_measured"].to_numpy(float),
            "reference": matched["body_fat_percent_measured"].to_numpy(float),
        }
    ).dropna()
    rows["body_fat_difference"] = bootstrap(np.mean, fat["synthetic"] - fat["reference"], seed=seed)
    rows["body_fat_spread"] = bootstrap(_spread, fat.to_numpy(), seed=seed)
    by_body = consistency_rows(found).groupby("subject_id")["dice"].mean().dropna()
    rows["dice"] = bootstrap(np.mean, by_body, seed=seed)
    rows["frechet"] = frechet_over_planes(features, seed)
    return _table(rows)


def floor_of_arms(features: Mapping[str, np.ndarray], seed: int = 0) -> Estimate:
    """The Fréchet distance that two halves of the people have between them, as `measure_arm` takes it."""
    half = min(len(features[plane]) for plane in PLANES) // 2
    if half < _FEWEST:
        return NOTHING
    return _mean_over_planes([real_to_real(features[plane], half, _DRAWS, seed) for plane in PLANES])


def frechet_over_planes(features: Mapping[str, Sequence[np.ndarray]], seed: int = 0) -> Estimate:
    """Mean over planes of the distance between random halves of both sides; `features` as in `measure_arm`."""
    pairs = [features[plane] for plane in PLANES]
    half = min(len(side) for pair in pairs for side in pair) // 2
    if half < _FEWEST:
        return NOTHING
    return _mean_over_planes([at_same_n(first, second, half, _DRAWS, seed) for first, second in pairs])


def _mean_over_planes(distances: Sequence[FrechetDistance]) -> Estimate:
    ends = np.mean([distance.interval95 for distance in distances], axis=0)
    return Estimate(float(np.mean([d.value for d in distances])), (float(ends[0]), float(ends[1])), distances[0].n)


def _spread(pairs: np.ndarray) -> float:
    reference = pairs[:, 1].std()
    return float(pairs[:, 0].std() / reference) if reference > 0 else float("nan")


def _table(rows: Mapping[str, Estimate]) -> pd.DataFrame:
    content = {
        name: {"value": e.value, "low": e.ci95[0], "high": e.ci95[1], "n": e.n, "unit": UNITS[name]}
        for name, e in rows.items()
    }
    return pd.DataFrame.from_dict(content, orient="index").rename_axis("measure")
