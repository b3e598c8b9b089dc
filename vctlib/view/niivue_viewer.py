"""A volume in NiiVue, through ipyniivue: the second viewer, which needs no extension of ours."""

import nibabel
import numpy as np
from matplotlib.colors import to_rgb

from vctlib.errors import InputError
from vctlib.view.scene import Scene

_LABELS_OVER = 0.55  # as on the book's pages of people


def show_in_niivue(scene: Scene, **options):
    """The widget; `options` are NiiVue's, as `height` in pixels. Raises InputError where ipyniivue is missing."""
    try:
        import ipyniivue
        from ipyniivue.traits import LUT
    except ImportError as error:
        raise InputError(f"NiiVue cannot run here ({error}): pip install ipyniivue==2.4.4") from None
    chosen = {"height": 500, "is_radiological_convention": True, "sagittal_nose_left": True}
    chosen |= {"multiplanar_force_render": True, "drag_and_drop_enabled": False}
    chosen |= {"crosshair_width": 2.0, "crosshair_width_unit": "mm"}
    low, high = map(float, scene.window)
    hu = scene.hu if scene.hu.dtype == np.int16 else scene.hu.astype(np.float32)
    ct = {"data": _nifti(hu, scene), "name": "ct.nii", "colormap": "gray"}
    volumes = [ipyniivue.Volume(**ct, cal_min=low, cal_max=high)]
    if scene.labels is not None:
        lut = LUT(lut=_label_lut(scene), min=0, max=255, labels=_label_names(scene))
        of_labels = {"data": _nifti(scene.labels, scene), "name": "labels.nii", "opacity": _LABELS_OVER}
        volumes.append(ipyniivue.Volume(**of_labels, colormap_label=lut))
    viewer = ipyniivue.NiiVue(**chosen | options)
    viewer.load_volumes(volumes)
    return viewer


def _nifti(array: np.ndarray, scene: Scene) -> bytes:
    image = nibabel.Nifti1Image(array, scene.affine)
    image.header.set_xyzt_units("mm")
    if array is scene.labels:
        image.header.set_intent("label", allow_unknown=True)  # else NiiVue takes the numbers for brightness
    return image.to_bytes()


def _label_lut(scene: Scene) -> list[int]:
    """Red, green, blue and opacity of labels 0 to 255, from 0 to 255; what is no label is clear."""
    lut = np.zeros((256, 4), np.uint8)
    for number, colour in scene.colours.items():
        lut[number] = [*(round(255 * part) for part in to_rgb(colour)), 255]
    return lut.ravel().tolist()


def _label_names(scene: Scene) -> list[str]:
    return [scene.names.get(number, "") for number in range(256)]
