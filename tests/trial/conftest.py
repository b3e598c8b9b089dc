"""A simulated population of bodies, and predictions of a model that learned the size of a body as a shortcut."""

import numpy as np
import pandas as pd
import pytest

from vctlib.trial.protocol import Protocol
from vctlib.trial.split import BiasedSplit, draw_populations, fit_biased_split


def simulate_people(n: int, seed: int) -> pd.DataFrame:
    """Bodies with plausible size and composition; the first 65 % are for training."""
    rng = np.random.default_rng(seed)
    male = rng.random(n) < 0.6
    height = np.where(male, 176, 163) + rng.normal(0, 7, n)
    fat = np.clip(np.where(male, 27, 37) + rng.normal(0, 7, n), 8, 60)
    lean_index = np.where(male, 19.5, 16) + rng.normal(0, 1.6, n)  # kg / m^2
    lean = lean_index * (height / 100) ** 2
    mass = lean / (1 - fat / 100)
    return pd.DataFrame(
        {
            "subject_id": [f"p{number:03d}" for number in range(n)],
            "sex": np.where(male, "male", "female"),
            "age_years": rng.uniform(20, 85, n),
            "height_cm": height,
            "weight_kg": mass,
            "body_fat_percent_measured": fat,
            "muscle_percent_measured": lean * np.where(male, 0.53, 0.47) * rng.normal(1, 0.04, n) / mass * 100,
            "body_volume_l_measured": mass / (1.1 - 0.2 * fat / 100),
            "split": np.where(np.arange(n) < 0.65 * n, "train", "test"),
        }
    )


@pytest.fixture(scope="session")
def people() -> pd.DataFrame:
    return simulate_people(800, seed=0)


@pytest.fixture(scope="session")
def split(people: pd.DataFrame) -> BiasedSplit:
    return fit_biased_split(people, "body_fat", 0.5)


@pytest.fixture(scope="session")
def predictions(people: pd.DataFrame, split: BiasedSplit) -> pd.DataFrame:
    """Real, reconstructed and twice drawn synthetic images of 60 ID and 60 OOD patients; good on ID, bad on OOD."""
    rng = np.random.default_rng(1)
    drawn = draw_populations(people, split, n_train=150, n_id=60, n_ood=60, seed=2)
    by_id = people.set_index("subject_id")
    parts = []
    for population, subjects, spread in (("ID", drawn.id_test, 1.5), ("OOD", drawn.ood_test, 8.0)):
        for arm, draws in (("real", 1), ("reconstructed", 1), ("synthetic", 2)):
            rows = by_id.loc[np.repeat(list(subjects), draws)].reset_index()
            if arm == "synthetic":  # another body of the same attributes
                rows["muscle_percent_measured"] += rng.normal(0, 3, len(rows))
            rows = rows.assign(population=population, arm=arm, truth=rows["body_fat_percent_measured"])
            parts.append(rows.assign(prediction=rows["truth"] + rng.normal(0, spread, len(rows))))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def protocol() -> Protocol:
    return Protocol(task="body_fat", n_resamples=1000, seed=3)
