import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.metrics.slices import backbone_extractor, central_slices, crop_region, slice_features, take_slice

SHAPE = (6, 8, 20)


def _marked(x, y, z):
    volume = np.zeros(SHAPE)
    volume[x, y, z] = 1
    return volume


def test_radiological_convention():
    x, y, z = 5, 7, 19  # the person's right, front, head
    coronal = take_slice(_marked(x, 3, z), "coronal", 3)
    assert coronal.shape == (20, 6) and coronal[0, 0] == 1  # head up, the person's right at the viewer's left
    sagittal = take_slice(_marked(2, y, z), "sagittal", 2)
    assert sagittal.shape == (20, 8) and sagittal[0, 0] == 1  # head up, face to the left
    axial = take_slice(_marked(x, y, 10), "axial", 10)
    assert axial.shape == (8, 6) and axial[0, 0] == 1  # front up, the person's right at the viewer's left


@pytest.mark.parametrize(("n", "positions"), [(1, [10]), (2, [8, 11]), (3, [7, 10, 12])])
def test_slices_come_from_the_middle_third(n, positions):
    volume = np.broadcast_to(np.arange(20), SHAPE)
    assert central_slices(volume, "axial", n)[:, 0, 0].tolist() == positions


def test_regions_cut_the_body_and_not_the_grid():
    hu = np.full((4, 4, 150), -1000)
    hu[:, :, 20:120] = np.arange(100)  # a body 100 voxels long; its value is the height above the feet
    assert crop_region(hu, "head_and_neck")[0, 0].tolist() == list(range(86, 100))
    assert crop_region(hu, "torso")[0, 0].tolist() == list(range(47, 86))
    assert crop_region(hu, "lower_extremities")[0, 0].tolist() == list(range(0, 47))
    assert crop_region(hu, "full_body").shape[2] == 100
    with pytest.raises(InputError, match="no body"):
        crop_region(np.full((4, 4, 4), -1000), "torso")


def test_features_are_ordered_by_person_and_slice():
    volumes = [np.full(SHAPE, level, np.int16) for level in (0, 100)]
    features = slice_features(volumes, lambda s: s.mean(axis=(1, 2))[:, None], "coronal", n_slices=2)
    assert features.tolist() == [[[0], [0]], [[100], [100]]] and features.dtype == np.float64
    with pytest.raises(InputError, match="no volumes"):
        slice_features([], lambda s: s, "axial")


def test_backbone_extractor_gives_the_network_what_it_was_trained_on():
    import torch

    from vctlib.networks.backbone import prepare_slices

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, pictures):
            assert pictures.shape[1] == 3
            return self.scale * pictures.mean((2, 3))

    water = np.zeros((2, 5, 7), np.int16)
    expected = prepare_slices(torch.zeros(2, 5, 7)).mean((2, 3)).numpy()
    assert backbone_extractor(Mean())(water) == pytest.approx(expected, abs=1e-6)
    assert backbone_extractor(Mean(), size=(32, 32))(water) == pytest.approx(expected, abs=1e-5)
