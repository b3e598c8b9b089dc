import numpy as np
import pytest
import torch

from vctlib.intensity import compand, denormalise_hu, expand, normalise_hu

HU = [-1000.0, -600.0, -200.0, 0.0, 50.0, 200.0, 1100.0, 2000.0]
COMPANDED = [-1.0, -0.75, -0.5, 0.0, 0.125, 0.5, 2.0, 3.5]


def test_scale_is_linear_and_clipped_at_its_ends():
    scaled = normalise_hu(np.array([-3000.0, -1000.0, 0.0, 500.0, 5000.0]))
    np.testing.assert_allclose(scaled, [-1, -1, 0, 0.5, 2])
    np.testing.assert_allclose(denormalise_hu(np.array([-2.0, 0.5, 3.0])), [-1000, 500, 2000])


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_companding_stretches_soft_tissue_most_and_is_undone(make):
    companded = compand(normalise_hu(make(HU)))
    np.testing.assert_allclose(np.asarray(companded), COMPANDED, atol=1e-6)
    np.testing.assert_allclose(np.asarray(denormalise_hu(expand(companded))), HU, atol=1e-3)


def test_expanding_clips_what_no_image_holds():
    np.testing.assert_allclose(expand(np.array([-9.0, 9.0])), [-1, 2])
