"""A volume in itkwidgets 0.32.6, which the extension in `vctlib.labextension` brings into JupyterLab 4."""

import numpy as np
from matplotlib.colors import to_rgb

from vctlib.errors import InputError
from vctlib.labextension import extension_folder, install_labextension
from vctlib.view.scene import Scene

_WHOLE_UP_TO = 192**3  # voxels; larger volumes are shown thinned out, as itkwidgets does by itself


def show_in_itkwidgets(scene: Scene, **options):
    """The widget. Raises InputError where itkwidgets, or a place for its extension, is missing."""
    try:
        import itk
        import itkwidgets
    except ImportError as error:
        raise InputError(f"itkwidgets cannot run here ({error}): pip install itkwidgets==0.32.6") from None
    is_new = not extension_folder().exists()
    try:
        install_labextension()
    except OSError as error:
        raise InputError(f"itkwidgets' extension cannot be put into {extension_folder()} ({error})") from None
    if is_new:
        print("The 3D viewer has just been installed: reload this page once and run the cell again.")
    low, high = map(float, scene.window)
    chosen = {"ui_collapsed": True, "cmap": "bone_Matlab", "vmin": low, "vmax": high, "units": "mm"}
    if scene.hu.size <= _WHOLE_UP_TO:
        chosen["size_limit_3d"] = np.array(scene.hu.shape)
    if scene.labels is not None:
        chosen["label_image"] = _itk_image(itk, scene.labels, scene)
        chosen["label_image_names"] = [(0, "nothing"), *scene.names.items()]
        chosen |= _label_colours(scene)
    clipped = np.clip(scene.hu, low, high).astype(np.float32)  # opacity follows the values that are there
    return itkwidgets.view(_itk_image(itk, clipped, scene), **chosen | options)


def _label_colours(scene: Scene) -> dict:
    """Options that carry the labels' colours: row n of the colour map belongs to label n.

    itkwidgets has no option for them; the extension reads them where the name of the table begins with `Custom`.
    """
    colours = np.zeros((256, 3), np.float32)
    for number, colour in scene.colours.items():
        colours[number] = to_rgb(colour)
    return {"lut": "Custom labels", "_custom_cmap": colours}


def _itk_image(itk, array: np.ndarray, scene: Scene):
    """An ITK image of an array (x, y, z) in RAS+.

    ITK's world is LPS: left as it is, the body would be shown as its mirror image, so x and y are turned. ITK wants
    (z, y, x), and takes the spacing apart from the array.
    """
    image = itk.image_from_array(np.ascontiguousarray(array[::-1, ::-1].T))
    image.SetSpacing(scene.spacing_mm)
    return image
