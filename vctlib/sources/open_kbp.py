"""Head-and-neck CTs of the OpenKBP challenge: real anatomy for tests and demonstrations.

Source: babier2021 (Open Knowledge-Based Planning Challenge); its CSV files packed as one `pt_N.npz` a patient.
"""

import zipfile
from pathlib import Path
from types import MappingProxyType

import numpy as np

from vctlib.anatomy import AIR_HU
from vctlib.errors import InputError

# Region of interest numbers of `seg`, with TotalSegmentator's names where it has one.
LABELS = MappingProxyType(
    {
        1: "brainstem",
        2: "spinal_cord",
        3: "parotid_gland_right",
        4: "parotid_gland_left",
        5: "esophagus",
        6: "larynx",
        7: "mandible",
    }
)
HU_OFFSET = 1024  # stored value of 0 HU; 0 stands for everything outside the body
# The stored CTs saturate where 12 bits end; clipped so that int16 holds whatever an odd file contains.
LARGEST_STORED = 2**15 - 1


def read_open_kbp(path: Path | str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read one patient as (hu int16, labels uint8, affine), arrays (x, y, z) in RAS, mm, origin at the centre.

    Stored axes are anterior to posterior, right to left, superior to inferior. Outside the body is air (-1000 HU).
    Raises InputError for a file that is absent, damaged or not of this kind.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            stored, segmentation, voxel_mm = archive["ct"], archive["seg"], archive["voxel_mm"].astype(float)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; see the data manifest for where to get it") from None
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: not an OpenKBP file ({reason}); fetch it again") from None
    if stored.ndim != 3 or segmentation.shape != stored.shape:
        raise InputError(f"{path}: ct is {stored.shape} and seg {segmentation.shape}; both must be one 3-D shape")
    if stored.dtype != np.uint16 or stored.max() > LARGEST_STORED or segmentation.dtype != np.uint8:
        raise InputError(f"{path}: ct is {stored.dtype} up to {stored.max()}, seg {segmentation.dtype}; fetch it again")
    if voxel_mm.shape != (3,) or not np.isfinite(voxel_mm).all() or not (voxel_mm > 0).all():
        raise InputError(f"{path}: voxel_mm is {voxel_mm.tolist()}; it must be three positive numbers")
    if segmentation.max() > max(LABELS):
        raise InputError(f"{path}: seg holds {segmentation.max()}, which names no region of interest")

    hounsfield = np.where(stored == 0, AIR_HU, stored.astype(np.int32) - HU_OFFSET).astype(np.int16)
    hu, labels = (
        np.ascontiguousarray(array.transpose(1, 0, 2)[::-1, ::-1, ::-1]) for array in (hounsfield, segmentation)
    )
    spacing = voxel_mm[[1, 0, 2]]
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -spacing * (np.array(hu.shape) - 1) / 2
    return hu, labels, affine
