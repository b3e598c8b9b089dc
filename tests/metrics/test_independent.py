"""Bodies are measured by one segmenter, whose own findings are compared with the labels that a generator gives."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from vctlib.anatomy import AIR_HU, MEASURE, PAPER16, ids_of, reduce_labels
from vctlib.cohort import Cohort
from vctlib.errors import InputError
from vctlib.intensity import denormalise_hu
from vctlib.metrics import consistency
from vctlib.metrics.independent import SOURCES, anatomy_of, consistency_rows, measure_independently, measurements


class PerfectSegmenter(nn.Module):
    """Knows the HU of every structure of the blocky people."""

    def __init__(self, cohort: Cohort) -> None:
        super().__init__()
        hu, labels = cohort.ct(cohort.subjects[0])[0], cohort.labels(cohort.subjects[0])
        found = reduce_labels(labels, cohort.info.labels, MEASURE)
        self.value_of = {int(number): float(hu[found == number][0]) for number in np.unique(found)}

    def forward(self, x):
        hu = denormalise_hu(x)[:, 0]
        logits = torch.full((len(x), len(MEASURE) + 1, *hu.shape[1:]), -1e9)
        for number, value in self.value_of.items():
            logits[:, number] = -(hu - value).abs()
        return logits


@pytest.fixture
def measured(tiny_people, micro_profile, micro_shop, tmp_path) -> pd.DataFrame:
    shop, _ = micro_shop
    segmenter = PerfectSegmenter(tiny_people)
    some = tiny_people.select(tiny_people.subjects[:4])
    return measure_independently(some, segmenter, shop.weights("segmenter"), micro_profile, tmp_path / "rows")


def test_perfect_segmenter_finds_what_is_there(measured, tiny_people):
    table = measurements(measured)
    assert list(measured.index) == tiny_people.subjects[:4] and not any("consistency/" in name for name in table)
    voxel_l = 0.04**3 * 1000
    for subject in measured.index:
        body = tiny_people.labels(subject) > 0
        assert table.at[subject, "body_volume_l_measured"] == pytest.approx(body.sum() * voxel_l, rel=0.02)
        liver = tiny_people.labels(subject) == ids_of(tiny_people.info.labels, "liver")[0]
        assert table.at[subject, "liver_volume_ml_measured"] == pytest.approx(liver.sum() * voxel_l * 1000)
    fat = table["body_fat_percent_measured"]
    assert fat["B0"] < fat["B1"] < fat["B2"] < fat["B3"]  # each wider than the one before, and all of it fat


def test_comparison_is_perfect_where_segmenter_and_labels_agree(measured):
    rows = consistency_rows(measured)
    assert len(rows) == 4 * len(PAPER16) and set(rows["structure"]) == set(PAPER16.values())
    summary = consistency.summarize(rows)
    there = {"bone", "liver", "brain", "appendicular_bones", "lung_upper_lobes"}
    assert (summary.loc[sorted(there), "dice_mean"] == 1).all() and summary.loc["average", "dice_mean"] == 1
    assert (summary["n"] == 4).sum() == len(there) and summary.loc["spleen", "n"] == 0
    by = rows.set_index(["subject_id", "structure"]).loc[("B0", "liver")]
    assert by["volume_ml_generated"] == by["volume_ml_independent"] == pytest.approx(4 * 4 * 4 * 64)
    assert by["right_generated"] == pytest.approx(2 * 40, abs=20)  # of the middle of the labelled body


def test_segmenter_and_labels_tell_of_the_same_plan_where_they_agree(measured):
    image, labels = (anatomy_of(measurements(measured), source) for source in SOURCES)
    shared = [name for name in labels if name.split("/")[0] in ("liver", "brain", "lung_upper_lobes", "spleen")]
    assert len(shared) > 8 and (image["liver/volume_ml"] > 0).all() and (image["spleen/volume_ml"] == 0).all()
    pd.testing.assert_frame_equal(image[shared], labels[shared], check_dtype=False)
    assert (image["body/detached_percent"] < 100).all() and "body/detached_percent" not in labels
    with pytest.raises(InputError, match="notebooks 08 and 09"):
        anatomy_of(measured[["liver_volume_ml_measured"]], "image")


def test_rows_are_kept_and_made_anew_for_other_weights(tiny_people, micro_profile, micro_shop, tmp_path):
    shop, _ = micro_shop
    some, calls = tiny_people.select(tiny_people.subjects[:2]), []

    class Counting(PerfectSegmenter):
        def forward(self, x):
            calls.append(1)
            return super().forward(x)

    def run(weights):
        return measure_independently(some, Counting(tiny_people), weights, micro_profile, tmp_path / "rows")

    first, again = run(shop.weights("segmenter")), run(shop.weights("segmenter"))
    assert len(calls) == 2
    pd.testing.assert_frame_equal(first, again)
    run(shop.weights("image_autoencoder"))  # another file, so another segmenter
    assert len(calls) == 4


def test_body_that_is_only_air_is_an_error_that_says_so(tiny_people, micro_profile, micro_shop, tmp_path, monkeypatch):
    shop, _ = micro_shop
    monkeypatch.setattr(Cohort, "ct", lambda self, s: (np.full(self.info.grid, int(AIR_HU), np.int16), np.eye(4)))
    with pytest.raises(InputError) as error:
        some = tiny_people.select(["B0"])
        measure_independently(some, PerfectSegmenter(tiny_people), shop.weights("segmenter"), micro_profile, tmp_path)
    assert "\n" not in str(error.value)
