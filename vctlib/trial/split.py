"""The paper's biased splits: a line in (body volume, the other tissue's share) that builds a shortcut into training.

On the in-distribution (ID) side body volume predicts the target well, so that a model can learn the size of the body
instead of its composition; beyond the line (OOD) the relation is another one. For body fat the line uses muscle, for
muscle it uses body fat, so that the target itself never enters the split. Source: killeen2025 section 4.3.1, Fig. 6.

The paper shows its lines but gives no rule for them. Ours is fixed before any error is seen and looks only at
development people (rows whose `split` is "train"):

1. Standardise body volume and the other tissue on these people.
2. Try every direction of a fixed fan of angles. For each, ID is the half plane that holds the given share of people.
3. Take the direction whose ID side has the strongest correlation of volume with the target, of the sign that it has
   among all development people. The first angle wins a tie.
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from vctlib.errors import InputError
from vctlib.trial.checks import require_columns, require_numbers, subject_ids

ID = "ID"
OOD = "OOD"
VOLUME_COLUMN = "body_volume_l_measured"
N_DIRECTIONS = 72  # one every 5 degrees, offset by half a step so that no boundary is vertical
BOUNDARY_RULE = (  # of `fit_biased_split`, in the words that a protocol fixes
    "a line in body volume and the other tissue's share, both standardised on development people; of "
    f"{N_DIRECTIONS} directions with id_share of these people on the in-distribution side, the one in which "
    "body volume and target correlate most there, with the sign that they have among all of them"
)
MINIMUM_PEOPLE = 5  # on each side of the line; a correlation or a bootstrap interval of fewer says nothing


class Task(NamedTuple):
    """A downstream task: the columns of its target and of the tissue that its boundary uses, in percent of mass."""

    label: str
    target_column: str
    other_column: str


TASKS = MappingProxyType(
    {
        "body_fat": Task("Body fat percentage", "body_fat_percent_measured", "muscle_percent_measured"),
        "muscle": Task("Muscle mass percentage", "muscle_percent_measured", "body_fat_percent_measured"),
    }
)


def task_named(name: str) -> Task:
    """The task of that name. Raises InputError for another."""
    if name not in TASKS:
        raise InputError(f"there is no task {name!r}; there are {', '.join(TASKS)}")
    return TASKS[name]


@dataclass(frozen=True)
class BiasedSplit:
    """The line `other = intercept + slope * volume` and the side of it that is in distribution.

    slope in percentage points a litre, intercept in percentage points, side "below" (the line included) or "above".
    """

    slope: float
    intercept: float
    side: str
    volume_column: str
    other_column: str
    target_column: str
    id_share: float = 0.5
    n_development: int = 0  # people whom the rule saw
    correlation: float = float("nan")  # Pearson r of volume and target, all development people
    correlation_id: float = float("nan")  # the same, ID side only

    def assign(self, frame: pd.DataFrame) -> np.ndarray:
        """ "ID" or "OOD" for every row, shape (rows,). Raises InputError for a missing column or measurement."""
        below = self._below_by(frame) >= 0
        return np.where(below == (self.side == "below"), ID, OOD)

    def distance(self, frame: pd.DataFrame) -> np.ndarray:
        """How deep every row lies on the ID side, in points of the other tissue; negative: on the OOD side."""
        return self._below_by(frame) if self.side == "below" else -self._below_by(frame)

    def _below_by(self, frame: pd.DataFrame) -> np.ndarray:
        require_columns(frame, [self.volume_column, self.other_column], "the table of people")
        volume = require_numbers(frame, self.volume_column, "the table of people")
        other = require_numbers(frame, self.other_column, "the table of people")
        return self.intercept + self.slope * volume - other


def _development(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    require_columns(frame, ["split"], "the table of people")
    rows = frame[frame["split"] == part]
    if rows.empty:
        raise InputError(f'the table of people has no row with split "{part}"')
    return rows


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson r, 0 where one of the two does not vary."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def fit_biased_split(
    frame: pd.DataFrame,
    task: str,
    id_share: float = 0.5,
    *,
    volume_column: str = VOLUME_COLUMN,
    target_column: str | None = None,
    other_column: str | None = None,
) -> BiasedSplit:
    """The boundary by the rule at the top of this file.

    frame: people with `split` and the three columns (defaults from `TASKS`). id_share: share of development people
    on the ID side, between 0 and 1. Raises InputError for a missing column or number, too few or identical people.
    """
    columns = task_named(task)
    target_column, other_column = target_column or columns.target_column, other_column or columns.other_column
    if not 0 < id_share < 1:
        raise InputError(f"id_share is {id_share}; it must lie between 0 and 1")
    people = _development(frame, "train")
    require_columns(people, [volume_column, other_column, target_column], "the table of people")
    volume, other, target = (
        require_numbers(people, column, "the table of people")
        for column in (volume_column, other_column, target_column)
    )
    if len(people) * min(id_share, 1 - id_share) < MINIMUM_PEOPLE:
        raise InputError(
            f"the boundary needs at least {MINIMUM_PEOPLE} training people on each side; "
            f"there are {len(people)}, of whom {id_share:.0%} are to be in distribution"
        )
    if np.ptp(volume) == 0 or np.ptp(other) == 0:
        raise InputError(f"{volume_column} or {other_column} is the same for all training people; no line can be drawn")
    standard = np.stack([(values - values.mean()) / values.std() for values in (volume, other)])  # (2, people)
    overall = _pearson(volume, target)
    sign = 1.0 if overall >= 0 else -1.0

    def id_side(angle: float) -> tuple[np.ndarray, float]:
        score = np.array([np.cos(angle), np.sin(angle)]) @ standard
        offset = float(np.quantile(score, id_share))
        return score <= offset, offset

    angles = (np.arange(N_DIRECTIONS) + 0.5) * 2 * np.pi / N_DIRECTIONS
    strength = [sign * _pearson(volume[inside], target[inside]) for inside, _ in map(id_side, angles)]
    angle = float(angles[int(np.argmax(np.round(strength, 12)))])  # rounded: a tie must not hang on the row order
    inside, offset = id_side(angle)

    # cos * (volume - mean) / sd + sin * (other - mean) / sd <= offset, solved for the other tissue
    rise = volume.std() / np.cos(angle), other.std() / np.sin(angle)
    slope = -rise[1] / rise[0]
    intercept = other.mean() + offset * rise[1] - slope * volume.mean()
    return BiasedSplit(
        slope=float(slope),
        intercept=float(intercept),
        side="below" if np.sin(angle) > 0 else "above",
        volume_column=volume_column,
        other_column=other_column,
        target_column=target_column,
        id_share=id_share,
        n_development=len(people),
        correlation=overall,
        correlation_id=_pearson(volume[inside], target[inside]),
    )


@dataclass(frozen=True)
class Populations:
    """The people of a trial, by subject id, and how many there were to choose from."""

    train: tuple[str, ...]
    id_test: tuple[str, ...]
    ood_test: tuple[str, ...]
    training_correlation: float  # Pearson r of volume and target; the paper's is 0.872 (fat), -0.696 (muscle)
    asked: dict[str, int] = field(hash=False)
    available: dict[str, int] = field(hash=False)

    def describe(self) -> str:
        """`training 200 of 243 people, ...`: taken and available, with what was asked where it was more."""
        taken = {"training": len(self.train), "ID test": len(self.id_test), "OOD test": len(self.ood_test)}
        return "; ".join(
            f"{name} {count} of {self.available[name]} people"
            + (f" ({self.asked[name]} asked for)" if count < self.asked[name] else "")
            for name, count in taken.items()
        )


def draw_populations(
    frame: pd.DataFrame,
    split: BiasedSplit,
    n_train: int = 200,
    n_id: int = 75,
    n_ood: int = 75,
    seed: int = 0,
    minimum: int = MINIMUM_PEOPLE,
) -> Populations:
    """Draw people at random: training from ID people of split "train", both tests from people of split "test".

    Where there are fewer than asked for, all are taken and the counts say so. Raises InputError, with the counts,
    where there are fewer than `minimum` (or than asked for, if that is less). The order of rows does not matter.
    Source: killeen2025 section 4.3.1 (200, 75 and 75 people).
    """
    train, test = _development(frame, "train"), _development(frame, "test")
    train_side, test_side = split.assign(train), split.assign(test)
    pools = {
        "training": train[train_side == ID],
        "ID test": test[test_side == ID],
        "OOD test": test[test_side == OOD],
    }
    asked = dict(zip(pools, (n_train, n_id, n_ood), strict=True))
    available = {name: len(pool) for name, pool in pools.items()}
    short = [
        f"{name}: {available[name]} there, {asked[name]} asked for"
        for name in pools
        if available[name] < min(minimum, asked[name])
    ]
    if short:
        raise InputError(f"too few people for the trial ({'; '.join(short)}; at least {minimum} are needed)")
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, pool in pools.items():
        ids = np.sort(subject_ids(pool))
        drawn[name] = tuple(str(subject) for subject in np.sort(rng.permutation(ids)[: asked[name]]))
    chosen = train[np.isin(subject_ids(train), drawn["training"])]
    correlation = _pearson(
        require_numbers(chosen, split.volume_column, "the table of people"),
        require_numbers(chosen, split.target_column, "the table of people"),
    )
    return Populations(
        drawn["training"], drawn["ID test"], drawn["OOD test"], correlation, asked=asked, available=available
    )
