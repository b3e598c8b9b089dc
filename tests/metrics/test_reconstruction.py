import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vctlib.errors import InputError
from vctlib.metrics import reconstruction

AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])


@pytest.fixture
def body():
    """A block of soft tissue (40 HU) with a bone (700 HU) in air, and its exact mask."""
    hu = np.full((24, 20, 30), -1000, np.int16)
    hu[6:18, 5:15, 4:26] = 40
    hu[10:13, 8:11, 4:26] = 700
    mask = np.zeros(hu.shape, bool)
    mask[6:18, 5:15, 4:26] = True
    return hu, mask


def test_a_constant_error_gives_the_hand_value(body):
    hu, mask = body
    other = hu + np.int16(20) * mask  # 20 HU too high everywhere inside
    figures = reconstruction.compare(hu, other, AFFINE)
    assert figures["psnr_body_db"] == pytest.approx(10 * np.log10(2000**2 / 20**2))  # 40 dB
    assert figures["psnr_db"] == pytest.approx(40 - 10 * np.log10(mask.mean()))
    assert figures["mae_body_hu"] == pytest.approx(20)
    assert figures["mae_soft_tissue_hu"] == pytest.approx(20)


def test_soft_tissue_error_ignores_bone_and_body_error_does_not(body):
    hu, mask = body
    bone = hu == 700
    figures = reconstruction.compare(hu, hu + np.int16(100) * bone, AFFINE)
    assert figures["mae_soft_tissue_hu"] == 0
    assert figures["mae_body_hu"] == pytest.approx(100 * bone.sum() / mask.sum())


def test_equal_images_are_perfect(body):
    figures = reconstruction.compare(body[0], body[0], AFFINE)
    assert figures["psnr_db"] == np.inf and figures["ssim"] == pytest.approx(1) and figures["mae_body_hu"] == 0


def test_agrees_with_scikit_image_over_the_window(body):
    hu, _ = body
    rng = np.random.default_rng(0)
    first, second = (hu + rng.normal(0, 60, hu.shape) for _ in range(2))
    figures = reconstruction.compare(first, second, AFFINE)
    clipped = [np.clip(image, -1000, 1000) for image in (first, second)]
    assert figures["psnr_db"] == pytest.approx(peak_signal_noise_ratio(*clipped, data_range=2000), abs=1e-4)
    settings = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=2000)
    assert figures["ssim"] == pytest.approx(structural_similarity(*clipped, **settings), abs=1e-4)


def test_what_lies_outside_the_window_does_not_count_for_psnr_and_ssim(body):
    hu, mask = body
    dense = np.where(mask, 1200, -1000)
    figures = reconstruction.compare(dense, np.where(mask, 1900, -1000), AFFINE, body=mask)
    assert figures["psnr_body_db"] == np.inf and figures["ssim_body"] == pytest.approx(1)
    assert figures["mae_body_hu"] == pytest.approx(700)


def test_summary_means_over_bodies_with_n(body):
    hu, mask = body
    pairs = [(f"p{error}", hu, hu + np.int16(error) * mask, AFFINE) for error in (10, 20, 60)]
    table = reconstruction.compare_all(pairs)
    summary = reconstruction.summarize(table)
    assert list(table.index) == ["p10", "p20", "p60"]
    assert summary["mae_body_hu"].value == pytest.approx(30) and summary["mae_body_hu"].n == 3
    assert summary["mae_body_hu"].ci95 == (10, 60)  # with three bodies, all-equal resamples are 1 in 27


@pytest.mark.parametrize("spoil", ["shape", "nan", "tiny"])
def test_bad_input_is_named(body, spoil):
    first = body[0].astype(np.float32)
    second = first.copy()
    if spoil == "shape":
        second = second[:-1]
    elif spoil == "nan":
        second[0, 0, 0] = np.nan
    else:
        first, second = first[6:16], second[6:16]
    with pytest.raises(InputError, match={"shape": "alike", "nan": "NaN", "tiny": "11 voxels"}[spoil]):
        reconstruction.compare(first, second, AFFINE)
