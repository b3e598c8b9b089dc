"""A body in three scans with known offsets, and their fusion."""

import json

import nibabel
import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.sources.fuse_scans import fuse, fuse_files
from vctlib.sources.phantom.acquisition import LARGEST_OFFSET_MM, STATIONS, three_scans, write_scans
from vctlib.sources.phantom.scan_protocol import ScanProtocol, scan_person
from vctlib.sources.phantom.scanner import ScannerSettings, scan

SPACING = 8.0
SETTINGS = ScannerSettings(90, 4e6)
AFFINE = np.array([[SPACING, 0, 0, -100.0], [0, SPACING, 0, 50.0], [0, 0, SPACING, -700.0], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    """A person of 1.6 m in outline: head, trunk with organs and a spine, two legs that taper."""
    x, y, z = np.meshgrid(*((np.arange(n) - n / 2 + 0.5) * SPACING for n in (64, 40, 216)), indexing="ij")
    z = z + 800  # from the soles
    hu = np.full(x.shape, -1000.0)
    trunk = (x / (150 + 30 * np.sin(z / 70))) ** 2 + (y / 100) ** 2 < 1
    hu[trunk & (z > 780) & (z < 1350)] = -100.0
    hu[(x / 120) ** 2 + (y / 75) ** 2 + ((z - 1050) / 240) ** 2 < 1] = 45.0
    for side in (-1, 1):
        width = 45 + 0.05 * z
        hu[((x - side * 95) ** 2 + (y + 0.02 * z) ** 2 < width**2) & (z > 0) & (z <= 790)] = 20.0
        hu[((x - side * 95) ** 2 + (y + 0.02 * z) ** 2 < 15**2) & (z > 20) & (z <= 790)] = 700.0
        hu[((x - side * 70) / 50) ** 2 + (y / 60) ** 2 + ((z - 1220) / 90) ** 2 < 1] = -800.0
    hu[x**2 + y**2 + ((z - 1480) / 1.25) ** 2 < 85**2] = 300.0
    hu[x**2 + y**2 + ((z - 1480) / 1.25) ** 2 < 75**2] = 35.0
    hu[((x / 20) ** 2 + ((y + 60) / 20) ** 2 < 1) & (z > 780) & (z < 1400)] = np.where(np.sin(z / 6) > -0.5, 350, 80)[
        ((x / 20) ** 2 + ((y + 60) / 20) ** 2 < 1) & (z > 780) & (z < 1400)
    ]
    return hu


@pytest.fixture(scope="module")
def parts(body):
    return list(three_scans(body, AFFINE, SETTINGS, seed=4))


def test_three_stations_cover_the_body_and_overlap(body, parts):
    assert [part.name for part in parts] == list(STATIONS)
    occupied = np.flatnonzero((body > -500).any(axis=(0, 1)))
    ends = [(part.affine[2, 3] + 700, part.affine[2, 3] + 700 + SPACING * part.hu.shape[2]) for part in parts]
    (head_low, head_high), (torso_low, torso_high), (legs_low, legs_high) = ends
    assert head_high > SPACING * occupied[-1] and legs_low < SPACING * occupied[0]
    assert torso_high - head_low > 400 and legs_high - torso_low > 100 and legs_high < head_low


def test_offsets_are_small_known_and_absent_in_the_first_scan(parts):
    assert not parts[0].offset_mm.any()
    for part in parts[1:]:
        assert (np.abs(part.offset_mm) <= LARGEST_OFFSET_MM).all() and (part.offset_mm != 0).all()


def test_each_scan_shows_the_body_where_its_offset_says(body, parts):
    """Centres of mass in slices that both the moved scan and the body have, in-plane."""
    for part in parts[1:]:
        first = round((part.affine[2, 3] - AFFINE[2, 3]) / SPACING)
        mine, whole = part.hu[:, :, 4:-4] + 1000, body[:, :, first + 4 : first + part.hu.shape[2] - 4] + 1000
        for axis in (0, 1):
            at = np.arange(mine.shape[axis]) * SPACING
            moved = (
                np.tensordot(at, mine, (0, axis)).sum() / mine.sum()
                - np.tensordot(at, whole, (0, axis)).sum() / whole.sum()
            )
            assert moved == pytest.approx(part.offset_mm[axis], abs=1.5)


def test_same_seed_same_scans_and_noise_of_their_own(body, parts):
    again = list(three_scans(body, AFFINE, SETTINGS, seed=4))
    for one, other in zip(parts, again, strict=True):
        np.testing.assert_array_equal(one.hu, other.hu)
    still = {name: STATIONS["torso"] for name in ("a", "b")}
    first, second = three_scans(body, AFFINE, SETTINGS, seed=4, stations=still, largest_offset_mm=(0, 0, 0))
    difference = (first.hu - second.hu)[first.hu > 0]
    assert 0.5 < difference.std() < 100


def test_fused_body_is_the_one_scan_body_within_noise(body, parts):
    fused = fuse([(part.hu, part.affine) for part in parts], frame=(body.shape, AFFINE))
    wanted = np.array([part.offset_mm for part in parts])
    assert np.abs(fused.shifts_mm - wanted).max() < SPACING / 2
    assert fused.correlations.min() > 0.95
    # where the first scan alone is kept, only noise differs
    one, two = (scan(body, SPACING, SETTINGS, seed) for seed in (11, 12))
    noise = (one - two)[:, :, 150:200].std()
    assert (fused.hu - one)[:, :, 150:200].std() < 1.2 * noise
    # elsewhere voxels that were moved and moved back are blurred, yet no tissue is lost
    assert (fused.hu + 1000).sum() == pytest.approx((one + 1000).sum(), rel=0.005)
    inner = (np.abs(np.diff(body, axis=0, append=-1000)) + np.abs(np.diff(body, axis=1, append=-1000))) == 0
    inner &= (body > -200) & (body < 100)
    assert np.median(np.abs(fused.hu - one)[inner]) < 3 * noise + 2


def test_affines_alone_leave_the_offsets_in(body, parts):
    trusted = fuse([(part.hu, part.affine) for part in parts], frame=(body.shape, AFFINE), register=False)
    registered = fuse([(part.hu, part.affine) for part in parts], frame=(body.shape, AFFINE))
    legs = body[:, :, :90]
    errors = [np.abs(fused.hu[:, :, :90] - legs).mean() for fused in (trusted, registered)]
    assert errors[1] < 0.8 * errors[0]
    assert not trusted.shifts_mm.any()


def test_arms_may_lie_elsewhere_in_the_torso_scan(body):
    raised = body.copy()
    raised[:10] = 40.0
    seen = {p.name: p.hu for p in three_scans(body, AFFINE, SETTINGS, 1, torso_hu=raised)}
    assert seen["torso"][2:8].mean() > -100 > seen["head_neck_arms"][2:8].mean()


def test_files_hold_the_scans_and_the_answer(tmp_path, parts):
    write_scans(tmp_path, "P0001", iter(parts))
    names = [f"P0001_{name}.nii.gz" for name in STATIONS]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "P0001_offsets.json"])
    offsets = json.loads((tmp_path / "P0001_offsets.json").read_text())
    assert offsets["legs"] == pytest.approx(parts[2].offset_mm)
    image = nibabel.load(tmp_path / names[1])
    np.testing.assert_allclose(image.affine, parts[1].affine)
    assert np.abs(image.get_fdata() - np.clip(parts[1].hu, -1024, 3071)).max() <= 0.51
    fused = fuse_files([tmp_path / name for name in names], tmp_path / "whole.nii.gz")
    np.testing.assert_allclose(fused.shifts_mm[2], offsets["legs"], atol=SPACING / 2)
    assert nibabel.load(tmp_path / "whole.nii.gz").shape == fused.hu.shape


def test_a_cohort_may_be_scanned_in_three_pieces(body):
    protocol = ScanProtocol(90, 4e6, three_scans=True)
    image, name = scan_person(body, body > -500, AFFINE, protocol, seed=3)
    assert name == "standard_120kv" and image.shape == body.shape
    assert np.median(np.abs(image - body)[(body > 0) & (body < 60)]) < 25


def test_volumes_that_cannot_be_scanned_are_refused(body):
    with pytest.raises(InputError, match="cubic voxels"):
        next(three_scans(body, np.diag([8, 8, 4, 1.0]), SETTINGS, 0))
    with pytest.raises(InputError, match="no body"):
        next(three_scans(np.full((8, 8, 8), -1000), AFFINE, SETTINGS, 0))
