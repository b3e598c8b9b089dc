"""Fusing scans of any orientation, and refusing those that do not belong together."""

import numpy as np
import pytest
from scipy import ndimage

from vctlib.errors import InputError
from vctlib.sources.fuse_scans import fuse
from vctlib.sources.overlap_shift import correlations

SPACING = 5.0


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    """Smooth random anatomy inside an ellipse, 40 x 30 x 120 voxels."""
    rng = np.random.default_rng(0)
    blobs = ndimage.gaussian_filter(rng.normal(size=(40, 30, 120)), 2.0)
    x, y = np.linspace(-1, 1, 40)[:, None], np.linspace(-1, 1, 30)[None, :]
    return np.where(((x / 0.8) ** 2 + (y / 0.8) ** 2 < 1)[:, :, None], 150 * blobs / blobs.std(), -1000.0)


def affine_at(z_mm: float, spacing=(SPACING,) * 3, x_mm: float = 0.0) -> np.ndarray:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = x_mm, 0.0, z_mm
    return affine


def piece(body: np.ndarray, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    return body[:, :, low:high].copy(), affine_at(low * SPACING)


def test_pieces_of_one_volume_give_it_back(body):
    fused = fuse([piece(body, 60, 120), piece(body, 30, 80), piece(body, 0, 50)])
    np.testing.assert_allclose(fused.affine, affine_at(0.0), atol=1e-6)
    assert np.abs(fused.shifts_mm).max() < 0.1 * SPACING
    fused = fuse([piece(body, 60, 120), piece(body, 30, 80), piece(body, 0, 50)], register=False)
    np.testing.assert_allclose(fused.hu, body, atol=0.05)


def test_a_scan_between_the_voxels_is_put_in_place():
    """A ramp in millimetres, sampled on a lattice 0.4 voxels off, is the same ramp on the first lattice."""

    def ramp(affine: np.ndarray) -> np.ndarray:
        index = np.stack(np.meshgrid(np.arange(12), np.arange(10), np.arange(40), indexing="ij"), axis=-1)
        return (index @ affine[:3, :3] + affine[:3, 3]) @ [3.0, 2.0, 1.0] - 500

    first, second = affine_at(100.0), affine_at(0.4 * SPACING, x_mm=-0.4 * SPACING)
    fused = fuse([(ramp(first), first), (ramp(second), second)], register=False)
    corner = tuple(np.round((first[:3, 3] - fused.affine[:3, 3]) / SPACING).astype(int) - (0, 0, 15))
    at = fused.affine[:3, :3] @ np.add(corner, 1) + fused.affine[:3, 3]
    assert fused.hu[tuple(np.add(corner, 1))] == pytest.approx(at @ [3.0, 2.0, 1.0] - 500, abs=0.01)


@pytest.mark.parametrize("shift", [(10.0, 0.0, 0.0), (-5.0, 15.0, 20.0), (2.0, -3.0, -8.0)])
def test_a_known_shift_is_found(body, shift):
    moved = ndimage.shift(body, np.array(shift) / SPACING, order=1, cval=-1000.0)
    fused = fuse([piece(body, 50, 120), piece(moved, 0, 80)])
    np.testing.assert_allclose(fused.shifts_mm[1], shift, atol=0.4 * SPACING)


def test_the_first_scan_is_kept_in_the_overlap(body):
    marked, plain = piece(body, 40, 120), piece(body, 0, 80)
    marked[0][18:22, 13:17] = 500.0
    first, second = fuse([marked, plain], register=False), fuse([plain, marked], register=False)
    assert np.isclose(first.hu[19, 14, 50:], 500).all() and (first.hu[19, 14, :40] < 500).all()
    assert np.isclose(second.hu[19, 14, 80:], 500).all() and abs(second.hu[19, 14, 60] - body[19, 14, 60]) < 0.1
    blended = first.hu[19, 14, 40:45]  # it fades in over 24 mm
    assert (np.diff(np.abs(500 - blended)) < 0).all()


def test_orientation_field_of_view_and_spacing_may_differ(body):
    """The second scan is stored left-posterior-superior, is narrower and begins off the first one's lattice."""
    lower = body[4:36, 3:27, :80]
    affine = np.diag([-SPACING, -SPACING, SPACING, 1.0])
    affine[:3, 3] = 35 * SPACING, 26 * SPACING, 0.0
    fused = fuse([piece(body, 40, 120), (lower[::-1, ::-1].copy(), affine)])
    np.testing.assert_allclose(fused.shifts_mm[1], 0, atol=0.2 * SPACING)
    registered = fuse([piece(body, 40, 120), (lower[::-1, ::-1].copy(), affine)], register=False)
    np.testing.assert_allclose(registered.hu, body, atol=0.05)
    fine = ndimage.zoom(body[:, :, :80], (2, 2, 1), order=1, grid_mode=True, mode="nearest")
    fine_affine = affine_at(0.0, (SPACING / 2, SPACING / 2, SPACING), x_mm=-SPACING / 4)
    fine_affine[1, 3] = -SPACING / 4
    both = fuse([piece(body, 40, 120), (fine, fine_affine)])
    assert both.hu.shape[2] == 120 and np.abs(both.shifts_mm).max() < 0.3 * SPACING
    inside = ndimage.binary_erosion(body[:, :, :30] > -900, iterations=2)
    assert np.abs(both.hu[:40, :30, :30] - body[:, :, :30])[inside].mean() < 40


def test_correlation_is_that_of_the_shared_part():
    """Against the textbook coefficient, at displacements of every sign."""
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(7, 6, 9)), rng.normal(size=(8, 5, 7))
    found, shared = correlations(one, other, reach=(3, 1, 4))
    for d in [(0, 0, 0), (2, -1, 1), (-3, 1, -4)]:
        mine = tuple(slice(max(0, -k), min(n, m - k)) for k, n, m in zip(d, one.shape, other.shape, strict=True))
        its = tuple(slice(s.start + k, s.stop + k) for k, s in zip(d, mine, strict=True))
        expected = np.corrcoef(one[mine].ravel(), other[its].ravel())[0, 1]
        assert found[d] == pytest.approx(expected, abs=1e-6)
        assert shared[d] == pytest.approx(one[mine].size, abs=1e-6)


def test_scans_that_do_not_belong_together_are_refused(body):
    with pytest.raises(InputError, match="scan 2 does not overlap the others: -50 mm"):
        fuse([piece(body, 70, 120), piece(body, 0, 60)])
    with pytest.raises(InputError, match="40 mm are needed"):
        fuse([piece(body, 55, 120), piece(body, 0, 60)])
    with pytest.raises(InputError, match="does not overlap"):
        fuse([piece(body, 70, 120), piece(body, 0, 60)], register=False)
    stranger = np.random.default_rng(9).normal(0, 100, body.shape)
    with pytest.raises(InputError, match="scans 1 and 2: their overlap does not look alike"):
        fuse([piece(body, 40, 120), piece(stranger, 0, 80)])
    far = ndimage.shift(body, (7, 0, 0), order=1, cval=-1000.0)
    with pytest.raises(InputError, match="mm or more apart|look alike"):
        fuse([piece(body, 30, 120), piece(far, 0, 90)], largest_shift_mm=20.0)
    with pytest.raises(InputError, match="two scans or more"):
        fuse([piece(body, 0, 120)])
    with pytest.raises(InputError, match="scan 2: a finite"):
        fuse([piece(body, 40, 120), (np.full((4, 4, 4), np.nan), affine_at(0))])
