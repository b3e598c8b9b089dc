"""Real head-and-neck CTs: which side is which, and what is refused."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.sources.open_kbp import LABELS, read_open_kbp


def centre_mm(labels: np.ndarray, affine: np.ndarray, name: str) -> np.ndarray:
    number = next(number for number, label in LABELS.items() if label == name)
    return affine[:3, :3] @ np.argwhere(labels == number).mean(axis=0) + affine[:3, 3]


@pytest.fixture(scope="module")
def patient(data_dir):
    return read_open_kbp(data_dir / "open_kbp" / "pt_24.npz")


def test_patient_lies_in_ras(patient):
    hu, labels, affine = patient
    assert hu.dtype == np.int16 and labels.dtype == np.uint8 and hu.shape == labels.shape
    right, left = (centre_mm(labels, affine, f"parotid_gland_{side}") for side in ("right", "left"))
    assert 80 < right[0] - left[0] < 150  # x grows towards the right; the glands are a face apart
    assert abs(right[2] - left[2]) < 20
    assert centre_mm(labels, affine, "mandible")[1] > centre_mm(labels, affine, "spinal_cord")[1] + 30  # y: anterior
    assert centre_mm(labels, affine, "brainstem")[2] > centre_mm(labels, affine, "larynx")[2] + 80  # z: superior


def test_hounsfield_units(patient):
    hu, labels, _ = patient
    assert hu.min() >= -1024 and hu[0, 0, -1] == -1000
    assert -20 < np.median(hu[labels == 1]) < 60  # brainstem
    assert np.median(hu[labels == 7]) > 500  # mandible


def test_voxel_size_follows_its_axis(tmp_path):
    stored = np.zeros((4, 6, 8), np.uint16)
    stored[0, 5, 0] = 1064  # most anterior, most left, most superior
    path = tmp_path / "pt_1.npz"
    np.savez(path, ct=stored, seg=np.zeros(stored.shape, np.uint8), voxel_mm=np.array([3.0, 4.0, 2.5]))
    hu, _, affine = read_open_kbp(path)
    assert hu.shape == (6, 4, 8)
    assert hu[0, 3, 7] == 40 and (hu == 40).sum() == 1
    np.testing.assert_allclose(np.diag(affine), [4.0, 3.0, 2.5, 1.0])
    np.testing.assert_allclose(affine @ [2.5, 1.5, 3.5, 1], [0, 0, 0, 1])


GOOD = {"ct": np.zeros((2, 2, 2), np.uint16), "seg": np.zeros((2, 2, 2), np.uint8), "voxel_mm": np.ones(3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seg": np.zeros((2, 2, 3), np.uint8)}, "one 3-D shape"),
        ({"ct": np.zeros((2, 2, 2), np.float32)}, "float32"),
        ({"ct": np.full((2, 2, 2), 40000, np.uint16)}, "40000"),
        ({"seg": np.full((2, 2, 2), 9, np.uint8)}, "names no region"),
        ({"voxel_mm": np.array([1.0, -1.0, 1.0])}, "voxel_mm"),
        ({"ct": np.array([[[{}]]], dtype=object)}, "not an OpenKBP file"),  # would need a pickle
        ({"ct": None}, "not an OpenKBP file"),
    ],
)
def test_bad_files_are_named(tmp_path, change, message):
    path = tmp_path / "pt_9.npz"
    np.savez(path, **{name: value for name, value in (GOOD | change).items() if value is not None})
    with pytest.raises(InputError, match=message) as caught:
        read_open_kbp(path)
    assert "pt_9.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_absent_and_truncated_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_open_kbp(tmp_path / "pt_1.npz")
    path = tmp_path / "pt_2.npz"
    np.savez(path, **GOOD)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match="not an OpenKBP file"):
        read_open_kbp(path)
