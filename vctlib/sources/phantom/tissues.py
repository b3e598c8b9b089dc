"""What tissues look like in CT: the mean Hounsfield unit of every structure, and the mass it stands for.

One convention throughout: a voxel of `hounsfield` HU has (hounsfield + 1000) / 1000 g/ml, the density of the amount of
water that attenuates as much. Soft tissues are right to 2 % that way; adipose tissue (-100 HU) counts 0.90 g/ml instead
of 0.92, bone more than it weighs. A phantom's true masses are sums over its own voxels in this convention, so they
are exact by definition; measurements on the image bring their own densities.
"""

import numpy as np

from vctlib.anatomy import AIR_HU, TOTAL, ids_where
from vctlib.sources.phantom.canvas import LABEL
from vctlib.sources.phantom.person import Person

LUNG_IDS, MUSCLE_IDS = ids_where(TOTAL, tissue_is="lung"), ids_where(TOTAL, tissue_is="muscle")
FAT_IDS, BONE_IDS = ids_where(TOTAL, tissue_is="fat"), ids_where(TOTAL, tissue_is="bone")
CARTILAGE = ("costal_cartilages",)  # counted as bone by the label tables, but without a cortex

VESSELS = (
    "aorta inferior_vena_cava superior_vena_cava pulmonary_vein pulmonary_artery blood_vessel brachiocephalic_trunk "
    "subclavian_artery_right subclavian_artery_left common_carotid_artery_right common_carotid_artery_left "
    "brachiocephalic_vein_left brachiocephalic_vein_right portal_vein_and_splenic_vein iliac_artery_left "
    "iliac_artery_right iliac_vena_left iliac_vena_right"
).split()

SOFT_TISSUE_HU = 40.0  # organs not listed below
HU = {
    "connective_tissue": 25, "skin": 50, "subcutaneous_fat": -102, "torso_fat": -98, "intermuscular_fat": -75,
    "small_bowel": 26, "colon": 26, "bowel_gas": -720, "brain": 36, "subarachnoid_space": 9, "spinal_cord": 32,
    "eye": 12, "trachea": -980, "nasal_cavity": -980, "esophagus": 32, "thyroid_gland": 90, "heart": 42,
    **dict.fromkeys(VESSELS, 42), "liver": 58, "gallbladder": 10, "spleen": 50, "stomach": 22,
    "pancreas": 38, "kidney_right": 33, "kidney_left": 33, "urinary_bladder": 7, "prostate": 36, "breast": 28, "uterus": 42,
    "intervertebral_discs": 85, "costal_cartilages": 105,
}  # fmt: skip


YOUNG_CORTICAL_HU = 1250.0
CORTEX_G_PER_ML, CARTILAGE_G_PER_ML = 1.92, 1.10  # icru44


def density_g_per_ml(hounsfield):
    return (hounsfield - AIR_HU) / 1000


def mean_hu(person: Person, seed: int) -> np.ndarray:
    """Mean HU by label number of `TOTAL`, (256,). Bones are left at soft tissue: their HU depends on depth.

    Muscle loses density with age and fat.
    """
    table = np.full(256, SOFT_TISSUE_HU, np.float32)
    table[0] = AIR_HU
    for name, value in HU.items():
        table[LABEL[name]] = value
    table[LUNG_IDS] = person.lung_hu
    table[MUSCLE_IDS] = 58 - 0.16 * (person.age_years - 20) - 22 * (person.body_fat_percent / 100 - 0.2)
    return table


def trabecular_hu(person: Person) -> float:
    """Mean HU of spongy bone. Source: jang2019, first lumbar vertebra (226 HU at 25 years, -2.5 HU a year)."""
    return float(np.clip(226 - 2.5 * (person.age_years - 25) + person.trabecular_residual_hu, 20, 330))


def cortical_hu(person: Person) -> float:
    """HU of compact bone, which becomes porous after 45 years."""
    return YOUNG_CORTICAL_HU - 3.2 * max(0.0, person.age_years - 45)


def bone_density_g_per_ml(hounsfield):
    """What bone and marrow of some HU weigh, g/ml. Source: schneider2000 (linear fits above 100 HU and below)."""
    hounsfield = np.asarray(hounsfield, np.float64)
    return np.where(hounsfield > 100, 1.017 + 0.592e-3 * hounsfield, 1.018 + 0.893e-3 * hounsfield)
