"""OpenKBP as its authors publish it, a folder of CSV files a patient, packed as `read_open_kbp` reads it.

A row is the number of a voxel of the 128 x 128 x 128 grid and its value; voxels that are not named are 0. Which
patients there are and what their scans show stands in `vctlib/data/open_kbp_index.json`. Source: babier2021.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.std import tqdm

from vctlib.errors import InputError
from vctlib.sources.open_kbp import LARGEST_STORED

GRID = (128, 128, 128)
REGIONS = ("Brainstem", "SpinalCord", "RightParotid", "LeftParotid", "Esophagus", "Larynx", "Mandible")  # 1, 2, ...
INDEX = Path(__file__).parents[1] / "data" / "open_kbp_index.json"
PATIENTS = Path("provided-data", "train-pats")  # below a checkout of the authors' repository


def pack_open_kbp(checkout: Path, names: Iterable[str], out: Path) -> None:
    """Write `out` with `<name>.npz` of every patient and `index.json`, whole or not at all. Raises InputError."""
    if out.exists():
        raise InputError(f"{out} is there already; remove it to make it again")
    if not (checkout / PATIENTS).is_dir():
        raise InputError(f"{checkout}: no folder {PATIENTS}; give a checkout of https://github.com/ababier/open-kbp")
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for name in tqdm(list(names), desc="packing", unit="patient"):
            np.savez_compressed(part / f"{name}.npz", **read_patient(checkout / PATIENTS / name))
        shutil.copyfile(INDEX, part / "index.json")
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read_patient(folder: Path) -> dict[str, np.ndarray]:
    """A patient's `ct` (uint16), `seg` (uint8; where regions overlap the later of `REGIONS`) and `voxel_mm` (float32).

    Raises InputError for a file that is missing or not of this kind; a region that nobody drew has no file.
    """
    ct, seg = np.zeros(GRID, np.uint16), np.zeros(GRID, np.uint8)
    try:
        rows = pd.read_csv(folder / "ct.csv", index_col=0)["data"]
        values = rows.to_numpy()
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > LARGEST_STORED:
            raise InputError(f"{folder / 'ct.csv'}: values must be numbers from 0 to {LARGEST_STORED}")
        ct.flat[rows.index.to_numpy()] = values
        for number, region in enumerate(REGIONS, start=1):
            if (folder / f"{region}.csv").is_file():
                seg.flat[pd.read_csv(folder / f"{region}.csv", index_col=0).index.to_numpy()] = number
        voxel_mm = np.loadtxt(folder / "voxel_dimensions.csv", dtype=np.float32)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder}: not a patient of OpenKBP ({' '.join(str(error).split())[:120]})") from None
    return {"ct": ct, "seg": seg, "voxel_mm": voxel_mm}
