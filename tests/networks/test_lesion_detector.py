"""The detector of liver lesions: its box, its score, and that it learns to tell who has one."""

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion
from sklearn.metrics import roc_auc_score

from vctlib.anatomy import TOTAL, ids_of
from vctlib.cohort import CohortInfo, CohortWriter
from vctlib.config import changed
from vctlib.errors import InputError
from vctlib.network_config import LesionDetectorConfig
from vctlib.networks.lesion_detector import LesionDetector, box_about, box_size, lesion_score
from vctlib.sources.lesion_insertion import insert_lesions, liver_of
from vctlib.sources.phantom.conditions import LiverLesion
from vctlib.training.lesions import train_lesion_detector

GRID = (24, 20, 24)


def test_the_box_holds_what_is_asked_in_steps_that_can_be_halved():
    config = LesionDetectorConfig()
    assert box_size(config, 8.0, (96, 64, 256)) == (40, 32, 40)
    assert box_size(config, 16.0, (48, 32, 128)) == (20, 16, 20)
    assert box_size(config, 100.0, (48, 32, 128)) == (6, 6, 6)
    assert box_size(config, 4.0, (40, 39, 300)) == (40, 38, 80)


def test_the_box_stays_in_the_grid():
    liver = np.zeros(GRID, bool)
    assert box_about(liver, (12, 12, 12)) is None
    liver[0:3, 17:20, 10:14] = True
    box = box_about(liver, (12, 12, 12))
    assert [(s.start, s.stop) for s in box] == [(0, 12), (8, 20), (6, 18)] and liver[box].sum() == liver.sum()


def test_a_score_is_the_highest_probability_deep_in_the_liver():
    class Fixed(torch.nn.Module):
        def forward(self, hu, liver):
            return hu / 10

    hu, liver = np.zeros(GRID, np.int16), np.zeros(GRID, bool)
    liver[8:16, 6:14, 8:16] = True
    hu[10, 10, 10], hu[2, 2, 2], hu[8, 10, 10] = 20, 900, 900  # the last lies at the surface
    assert lesion_score(Fixed(), hu, liver, (12, 12, 12), "no") == pytest.approx(1 / (1 + np.exp(-2)))
    assert np.isnan(lesion_score(Fixed(), hu, np.zeros_like(liver), (12, 12, 12), "no"))


def _people(folder, n: int, labels=TOTAL):
    """Everybody has a liver in noise, whose surface is darker than a lesion; every second one a dark ball in it."""
    about = {"name": "lesions", "kind": "reference", "source": "blocks", "code_version": "0", "seed": 0}
    writer = CohortWriter(folder, CohortInfo(spacing_mm=(16, 16, 16), grid=GRID, labels=dict(labels), **about))
    rng = np.random.default_rng(0)
    for number in range(n):
        liver = np.zeros(GRID, bool)
        liver[6:18, 5:15, 6:18] = True
        tissue = np.where(liver, np.where(binary_erosion(liver), 55, rng.uniform(-60, 40, GRID)), -100)
        hu = np.rint(tissue + rng.normal(0, 6, GRID)).astype(np.int16)
        made = insert_lesions(hu, liver, 16.0, [LiverLesion(44.0, -50.0)] * (number % 2), rng)
        names = np.where(liver, ids_of(labels, "liver")[0], 0)
        if "liver_lesion" in labels.values():
            names[made.lesions] = ids_of(labels, "liver_lesion")[0]
        row = {
            "sex": "female",
            "age_years": 40.0,
            "height_cm": 165.0,
            "weight_kg": 70.0,
            "split": "train",
            "ill": number % 2,
        }
        writer.add(f"L{number:02d}", row, made.hu, names.astype(np.uint8), np.diag([16.0, 16, 16, 1]))
    return writer.finish(f"L{number:02d}" for number in range(n))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return _people(tmp_path_factory.mktemp("lesions") / "people", 48)


def test_it_learns_who_has_a_lesion(people, micro_profile, tmp_path):
    optimization = {"steps": 150, "batch_size": 4, "learning_rate": 3e-3, "warmup_steps": 5}
    changes = {"channels": [8, 16], "box_mm": [256, 208, 256], "optimization": optimization}
    profile = changed(micro_profile, {"lesion_detector": changes, "precision": "no"})
    taught, tested = (people.select(people.subjects[part]) for part in (slice(0, 24), slice(24, None)))
    network, summary = train_lesion_detector(profile, taught, tmp_path, name="lesions", seed=0)
    assert summary.steps == 150
    size = box_size(profile.lesion_detector, 16.0, GRID)
    scores = [
        lesion_score(network, tested.ct(s)[0], liver_of(tested, s), size, "no") for s in tested.subjects
    ]  # fmt: skip
    assert roc_auc_score(tested.table["ill"], scores) > 0.95
    fresh = LesionDetector(profile.lesion_detector).eval()
    at_random = [lesion_score(fresh, tested.ct(s)[0], liver_of(tested, s), size, "no") for s in tested.subjects]
    assert roc_auc_score(tested.table["ill"], at_random) < 0.95


def test_who_cannot_teach_a_detector_is_told(people, micro_profile, tmp_path):
    well = people.select(people.subjects[::2])
    with pytest.raises(InputError, match="nobody among 24 people has a lesion"):
        train_lesion_detector(micro_profile, well, tmp_path, name="lesions", seed=0)
    unlabelled = _people(tmp_path / "unlabelled", 2, {1: "liver"})
    with pytest.raises(InputError, match="know no liver_lesion"):
        train_lesion_detector(micro_profile, unlabelled, tmp_path, name="lesions", seed=0)
