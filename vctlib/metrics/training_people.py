"""Everybody who taught the latent diffusion: the reference's people for training, and those made beside them.

Subject ids repeat from cohort to cohort, so a person is a position in this list and is named by cohort and id.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.files import REPOSITORY
from vctlib.networks.weights import load_weights


class TrainingPeople:
    """People of several cohorts, one cohort after the other; volumes are read when asked for."""

    def __init__(self, cohorts: Mapping[str, Cohort]) -> None:
        """`cohorts` by the name that a person's own name begins with. Raises InputError where their grids differ."""
        self.cohorts = dict(cohorts)
        self.people = [(name, subject_id) for name, cohort in cohorts.items() for subject_id in cohort.subjects]
        grids = {name: (cohort.info.grid, cohort.info.spacing_mm) for name, cohort in cohorts.items()}
        if len(set(grids.values())) > 1:
            told = ", ".join(f"{name}: {grid} voxels of {spacing} mm" for name, (grid, spacing) in grids.items())
            raise InputError(f"bodies are compared voxel by voxel, so all must be on one grid; {told}")

    def __len__(self) -> int:
        return len(self.people)

    def name(self, position: int) -> str:
        """Cohort and id, such as `more P0001`."""
        return " ".join(self.people[position])

    def hu(self, position: int) -> np.ndarray:
        """CT (x, y, z) in HU."""
        name, subject_id = self.people[position]
        return self.cohorts[name].ct(subject_id)[0]

    def volumes(self) -> Iterator[np.ndarray]:
        """Everybody's CT (x, y, z) in HU, one in memory at a time."""
        return map(self.hu, range(len(self)))

    def nearest_table(self, subjects: Sequence[str], distance_hu: np.ndarray, positions: np.ndarray) -> pd.DataFrame:
        """A row for each of n bodies: its id, cohort and id of the person nearest to it (`positions`, n), distance."""
        nearest = [self.people[position] for position in positions]
        return pd.DataFrame(
            {
                "subject_id": list(subjects),
                "nearest_cohort": [name for name, _ in nearest],
                "nearest_id": [subject_id for _, subject_id in nearest],
                "nearest_hu": distance_hu,
            }
        )


def people_taught(weights: Path) -> int:
    """How many people taught a network, as its weights file says. Raises InputError where it does not."""
    training = load_weights(weights)[1].get("training")
    if not isinstance(training, dict) or "people" not in training:
        raise InputError(f"{weights}: does not say how many people taught it; train it again")
    return int(training["people"])


def training_people(train: Cohort, taught: int, more: str | None, usual: Path) -> TrainingPeople:
    """Those who taught the latent diffusion and are at hand: `train`, and the people beside the reference.

    `more`: folder of the latter (below the repository unless absolute); InputError where it is no finished cohort.
    None stands for `usual`, and for nobody where no finished cohort lies there, or where not more people `taught` the
    network than `train` holds: a folder that another training left behind is then none of its people.
    """
    cohorts = {"reference": train}
    if more:
        cohorts["more"] = Cohort.open(REPOSITORY / Path(more).expanduser())
    elif taught > len(train) and (usual / "cohort.json").exists():
        cohorts["more"] = Cohort.open(usual)
    return TrainingPeople(cohorts)
