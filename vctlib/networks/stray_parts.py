"""Generated label maps without stray parts: an organ that people have in one piece keeps the largest.

A body that is drawn part by part may show a second small liver. Its voxels go to the class that is likeliest without
it, as the largest connected component is kept elsewhere (Isensee et al. 2021). Vessels are left alone: on a coarse grid
a sound aorta breaks by partial volume, and its parts are all of it.
"""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from vctlib.anatomy import PAPER16, ids_of
from vctlib.measure.parts import separate_parts

ONE_PART = ids_of(PAPER16, "spleen", "liver", "urinary_bladder", "prostate", "heart", "brain")


def without_stray_parts(labels: np.ndarray, logits: Tensor) -> np.ndarray:
    """Label map (x, y, z) in numbers of `PAPER16` and the logits (class, x, y, z) it is the largest of -> the same
    without what lies apart from the largest part of its organ, as `separate_parts` has it."""
    cleaned = labels.copy()
    for number, box in enumerate(ndimage.find_objects(labels, max_label=max(ONE_PART)), start=1):
        if number not in ONE_PART or box is None:
            continue
        parts, count = separate_parts(labels[box] == number)
        if count < 2:
            continue
        stray = (parts > 0) & (parts != np.bincount(parts[parts > 0]).argmax())
        x, y, z = (axis + part.start for axis, part in zip(np.nonzero(stray), box, strict=True))
        at = logits[:, x, y, z].clone()
        at[number] = -torch.inf
        cleaned[x, y, z] = at.argmax(0).to(torch.uint8).cpu().numpy()
    return cleaned
