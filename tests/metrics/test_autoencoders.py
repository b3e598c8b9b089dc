"""A perfect autoencoder has no error; one whose errors are known has those."""

import numpy as np
import pytest
from torch import nn

from vctlib.metrics import autoencoders
from vctlib.metrics.autoencoders import UNITS, bone_bias_hu, reconstruction_rows, summarize


def test_bone_bias_is_over_bone_alone():
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[0], labels[1] = 1, 2
    original = np.zeros(labels.shape, np.int16)
    image = original + np.where(labels == 1, 30.0, 500.0)
    table = {1: "vertebrae_L1", 2: "liver"}
    assert bone_bias_hu(original, image, labels, table) == pytest.approx(30)
    assert np.isnan(bone_bias_hu(original, image, np.zeros_like(labels), table))


def test_rows_and_their_errors(tiny_people, micro_profile, tmp_path, monkeypatch):
    people = tiny_people.select(tiny_people.subjects[:3])
    monkeypatch.setattr(autoencoders, "segment", lambda network, hu, profile: (hu > 0).astype(np.uint8))
    monkeypatch.setattr(autoencoders, "measure_body", lambda hu, *_: body(float(hu.mean())))
    monkeypatch.setattr(autoencoders, "reconstruct_volume", lambda network, hu, where, profile: hu + 10.0)

    def body(mean: float) -> dict:
        names = ("body_fat_percent", "muscle_percent", "mass_kg", "height_cm")
        return {f"{name}_measured": mean / (1 + place) for place, name in enumerate(names)}

    given = (people, nn.Identity(), micro_profile)
    original = reconstruction_rows(None, *given, tmp_path / "original", "key")
    again = reconstruction_rows(nn.Identity(), *given, tmp_path / "again", "key")
    assert "psnr_db" not in original and list(again.index) == people.subjects
    found = summarize(original, again)
    assert set(found) == set(UNITS)
    errors = [found[name].value for name in ("body_fat_mae", "muscle_mae", "mass_mae", "height_mae", "bone_bias")]
    assert errors == pytest.approx([10, 5, 10 / 3, 2.5, 10], rel=1e-3)
    assert found["psnr_db"].value == pytest.approx(20 * np.log10(2000 / 10), abs=0.2)
    assert summarize(original, again.assign(psnr_db=np.nan))["psnr_db"].n == 0
