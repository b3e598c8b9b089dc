"""What an image autoencoder keeps of held-out people: their image, their composition, their bone, their mass."""

from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from vctlib.anatomy import MEASURE, PAPER16, reduce_labels, tissue
from vctlib.cohort import Cohort
from vctlib.config import Profile
from vctlib.measure import measure_body
from vctlib.metrics.intervals import Estimate, bootstrap
from vctlib.metrics.reconstruction import compare
from vctlib.networks.body_frame import placement
from vctlib.networks.inference import reconstruct_volume, segment, shapes_of
from vctlib.rows import resumable_table

UNITS = {
    "psnr_db": "dB",
    "ssim": "1",
    "body_fat_mae": "pp",
    "muscle_mae": "pp",
    "mass_mae": "kg",
    "height_mae": "cm",
    "bone_bias": "HU",
}
_MEASURED = {
    "body_fat_mae": "body_fat_percent_measured",
    "muscle_mae": "muscle_percent_measured",
    "mass_mae": "mass_kg_measured",
    "height_mae": "height_cm_measured",
}


def reconstruction_rows(
    autoencoder: nn.Module | None, people: Cohort, segmenter: nn.Module, profile: Profile, folder: Path, key: str
) -> pd.DataFrame:
    """What is measured of each person's reconstruction, indexed by subject_id; of the original where None is given.

    Columns of `measure_body`, all by the labels that the segmenter finds in the image at hand; of a reconstruction also
    `psnr_db`, `ssim` and `bone_bias`, the mean of reconstructed less original HU over the voxels that the cohort's own
    labels call bone. Rows are kept in `folder`; `key` names the weights.
    """

    def row(subject_id: str) -> dict[str, float]:
        hu, affine = people.ct(subject_id)
        image = hu
        if autoencoder is not None:
            own = reduce_labels(people.labels(subject_id), people.info.labels, PAPER16)
            where = placement(profile, hu, own, shapes_of(autoencoder))
            image = reconstruct_volume(autoencoder, hu, where, profile)
        values = dict(measure_body(image, segment(segmenter, image, profile), MEASURE, affine))
        if autoencoder is not None:
            quality = compare(hu, image, affine)
            values |= {name: quality[name] for name in ("psnr_db", "ssim")}
            values["bone_bias"] = bone_bias_hu(hu, image, people.labels(subject_id), people.info.labels)
        return values

    return resumable_table(folder, people.subjects, row, key=f"{key} {people.table.to_csv()}", label="measuring people")


def bone_bias_hu(original: np.ndarray, image: np.ndarray, labels: np.ndarray, table) -> float:
    """Mean of `image` less `original` (x, y, z; HU) over the voxels labelled as bone; NaN where there are none."""
    numbers = [number for number, name in table.items() if tissue(name) == "bone"]
    bone = np.isin(labels, numbers)
    return float((image[bone].astype(np.float64) - original[bone]).mean()) if bone.any() else float("nan")


def summarize(original: pd.DataFrame, reconstructed: pd.DataFrame, seed: int = 0) -> dict[str, Estimate]:
    """Each figure of `UNITS` over the people, with its bootstrap interval; rows of `reconstruction_rows`."""
    found = {}
    for name in UNITS:
        if name in _MEASURED:
            column = _MEASURED[name]
            values = (reconstructed[column] - original.loc[reconstructed.index, column]).abs()
        else:
            values = reconstructed[name]
        finite = values.to_numpy(float)
        found[name] = bootstrap(np.mean, finite[np.isfinite(finite)], seed=seed)
    return found
