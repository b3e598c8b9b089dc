"""Which point of one image is which point of another: displacement fields by diffeomorphic demons.

Source: Vercauteren et al. 2009, as SimpleITK has it.
"""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

_STEP = 1.0  # voxels, the longest in one iteration
_UPDATE = 1.0  # voxels, by which each step is smoothed
_SMALLEST_DIFFERENCE = 0.01  # of intensities, below which nothing is moved


def register(fixed: np.ndarray, moving: np.ndarray, iterations: Sequence[int], smoothing: float) -> np.ndarray:
    """Displacement (3, x, y, z) in voxels, float32, such that `moving` at a voxel and its displacement shows what
    `fixed` shows at the voxel; both (x, y, z).

    iterations: on each level from the coarsest on, whose voxels are twice as wide as those of the next.
    smoothing: standard deviation in voxels of the level, by which the displacement is smoothed in each iteration.
    """
    images, field = (_image(fixed), _image(moving)), None
    for level, count in enumerate(iterations):
        shrink = 2 ** (len(iterations) - 1 - level)
        fixed_image, moving_image = (_shrunk(image, shrink) for image in images)
        demons = sitk.DiffeomorphicDemonsRegistrationFilter()
        demons.SetNumberOfIterations(count)
        demons.SetMaximumUpdateStepLength(_STEP)
        demons.SetIntensityDifferenceThreshold(_SMALLEST_DIFFERENCE)
        demons.SetSmoothDisplacementField(True)
        demons.SetStandardDeviations(smoothing)
        demons.SetSmoothUpdateField(True)
        demons.SetUpdateFieldStandardDeviations(_UPDATE)
        if field is None:
            field = demons.Execute(fixed_image, moving_image)
        else:
            begun = sitk.Resample(field, fixed_image, sitk.Transform(), sitk.sitkLinear, 0.0, field.GetPixelID())
            field = demons.Execute(fixed_image, moving_image, begun)
    return sitk.GetArrayFromImage(field).transpose(3, 2, 1, 0).astype(np.float32)


def _image(array: np.ndarray) -> sitk.Image:
    return sitk.GetImageFromArray(np.ascontiguousarray(array.T, np.float32))


def _shrunk(image: sitk.Image, factor: int) -> sitk.Image:
    if factor == 1:
        return image
    return sitk.Shrink(sitk.DiscreteGaussian(image, (factor / 2) ** 2), [factor] * 3)
