"""What tissues look like in CT: the mean Hounsfield unit of every structure, and the mass it stands for.

One convention throughout: a voxel of `hounsfield` HU has (hounsfield + 1000) / 1000 g/ml, the density of the amount of
water that attenuates as much. Soft tissues are right to 2 % that way; adipose tissue (-100 HU) counts 0.90 g/ml instead
of 0.92, bone more than it weighs. A phantom's true masses are sums over its own voxels in this convention, so they
are exact by definition; measurements on the image bring their own densities.

People differ: `mean_hu` draws the density of each tissue for a person, from a random stream of the tissue's own.

Source: graffy2019 and starekova2021 (liver); tonnesen2024 and vanderwerf2018 (muscle); jang2019 (spongy bone);
rosenquist2013 (that fat differs between people). Values without a source are usual ones, their spread a choice.
"""

from math import exp, log, sqrt

import numpy as np

from vctlib.anatomy import AIR_HU, TOTAL, ids_where
from vctlib.sources.phantom.canvas import LABEL, random_stream
from vctlib.sources.phantom.person import Person

LUNG_IDS, MUSCLE_IDS = ids_where(TOTAL, tissue_is="lung"), ids_where(TOTAL, tissue_is="muscle")
FAT_IDS = ids_where(TOTAL, tissue_is="fat")
BONE_IDS = [number for number in ids_where(TOTAL, tissue_is="bone") if number != LABEL["hip_implant"]]
OWN_HU_IDS = [LABEL[name] for name in ("liver_lesion", "lung_nodule", "ascites")]  # each has a HU of its own
CARTILAGE = ("costal_cartilages", "thyroid_cartilage", "cricoid_cartilage")  # painted as bones without a cortex

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
    **dict.fromkeys(VESSELS, 42), "gallbladder": 10, "spleen": 50, "stomach": 22,
    "pancreas": 38, "kidney_right": 33, "kidney_left": 33, "urinary_bladder": 7, "prostate": 36, "breast": 28,
    "uterus": 42, "ascites": 10, "intervertebral_discs": 85, "costal_cartilages": 105,
    "paranasal_sinuses": -980, "thyroid_cartilage": 160, "cricoid_cartilage": 170, "parotid_gland_left": 12,
    "parotid_gland_right": 12, "submandibular_gland_left": 38, "submandibular_gland_right": 38,
    "ovary_left": 33, "ovary_right": 33, "seminal_vesicle_left": 25, "seminal_vesicle_right": 25,
}  # fmt: skip
# Standard deviation between people in HU, and the structures that share one deviation.
SPREAD_HU = {
    "blood": (4.0, ("heart", *VESSELS)),
    "spleen": (4.0, ("spleen",)),
    "kidneys": (4.0, ("kidney_right", "kidney_left")),
    "subcutaneous fat": (5.0, ("subcutaneous_fat",)),
    "visceral fat": (5.0, ("torso_fat",)),
    "brain": (1.5, ("brain",)),
    "urine": (3.0, ("urinary_bladder",)),
}
WOMENS_BLOOD_HU = -3.0  # against men's: they have less haemoglobin
LIVER_HU, HU_PER_LIVER_FAT_PERCENT = 65.9, -1.72  # starekova2021, Fig. 2: 65, 23 and -3 HU at 0.5, 25 and 40 % of fat
LIVER_FAT_PERCENT = {"female": (5.8, 5.7), "male": (7.4, 6.0)}  # graffy2019: mean and standard deviation
MOST_LIVER_FAT_PERCENT = 40.0
LIVER_FAT_BMI_CORRELATION = 0.37  # graffy2019: r2 of attenuation and BMI is 0.14
USUAL_BMI, LOG_BMI_SD = 27.8, 0.22  # graffy2019: median; NHANES 2017-2018: about that in both sexes
# Muscle by age at a BMI of 27 kg/m2. Women: tonnesen2024, table 2 at L3; the youngest, and men: vanderwerf2018, table
# 3, the fifth percentile plus 1.645 of the standard deviation at an age. Men's last value continues their line.
MUSCLE_HU = {
    "female": ((25, 41, 50, 60, 70, 80), (45.5, 42.6, 38.1, 33.4, 29.3, 25.2)),
    "male": ((25, 35, 45, 55, 65, 80), (45.4, 43.4, 41.3, 39.3, 37.2, 34.1)),
}
MUSCLE_HU_PER_BMI = {"female": -0.59, "male": -0.49}  # vanderwerf2018, table 3, between its BMI categories
MUSCLE_SD_HU = 5.6  # with what BMI adds: 6.6 HU in women (tonnesen2024), 6 HU in men
MUSCLE_RANGE_HU = (5.0, 65.0)
TRABECULAR_HU = ((25, 70, 92), (226, 120, 89))  # jang2019: mean up to 30 and from 90 years, 2.4 HU a year up to 70
TRABECULAR_SD_HU = ((25, 92), (44, 38))  # jang2019: up to 30, from 90 years


YOUNG_CORTICAL_HU = 1250.0
CORTEX_G_PER_ML, CARTILAGE_G_PER_ML = 1.92, 1.10  # icru44


def density_g_per_ml(hounsfield):
    return (hounsfield - AIR_HU) / 1000


def _deviation(seed: int, name: str) -> float:
    """A person's place among others in one tissue, in standard deviations; nobody is more than three away."""
    return float(np.clip(random_stream(seed, f"density of {name}").standard_normal(), -3, 3))


def mean_hu(person: Person, seed: int) -> np.ndarray:
    """Mean HU by label number of `TOTAL`, (256,). Bones are left at soft tissue: their HU depends on depth."""
    table = np.full(256, SOFT_TISSUE_HU, np.float32)
    table[0] = AIR_HU
    for name, value in HU.items():
        table[LABEL[name]] = value
    for tissue, (spread, names) in SPREAD_HU.items():
        shift = 0.0 if person.male or tissue != "blood" else WOMENS_BLOOD_HU
        table[[LABEL[name] for name in names]] += shift + spread * _deviation(seed, tissue)
    table[LUNG_IDS] = table[LABEL["lung_nodule"]] = person.lung_hu
    table[LABEL["liver"]] = table[LABEL["liver_lesion"]] = liver_hu(person, seed)
    table[MUSCLE_IDS] = muscle_hu(person, seed)
    return table


def liver_hu(person: Person, seed: int) -> float:
    """Mean HU of the liver: fat makes it darker, little in most people, much in some.

    The share of fat is log-normal and correlates with BMI. Source: graffy2019 (11 669 CTs: 55 HU, SD 10; r2 of
    attenuation and BMI 0.14; share of fat by sex), starekova2021 (attenuation by share of fat).
    """
    mean, sd = LIVER_FAT_PERCENT[person.sex]
    log_sd = sqrt(log(1 + (sd / mean) ** 2))
    heavy = np.clip(log(person.bmi / USUAL_BMI) / LOG_BMI_SD, -3, 3)
    rank = LIVER_FAT_BMI_CORRELATION * heavy + sqrt(1 - LIVER_FAT_BMI_CORRELATION**2) * _deviation(seed, "liver")
    fat_percent = min(mean * exp(log_sd * rank - log_sd**2 / 2), MOST_LIVER_FAT_PERCENT)
    return LIVER_HU + HU_PER_LIVER_FAT_PERCENT * fat_percent


def muscle_hu(person: Person, seed: int) -> float:
    """Mean HU of skeletal muscle, which falls with age, in women more, and with BMI.

    Source: tonnesen2024 (women of five age groups), vanderwerf2018 (men, BMI, people under 40).
    """
    expected = np.interp(person.age_years, *MUSCLE_HU[person.sex]) + MUSCLE_HU_PER_BMI[person.sex] * (person.bmi - 27)
    return float(np.clip(expected + MUSCLE_SD_HU * _deviation(seed, "muscle"), *MUSCLE_RANGE_HU))


def trabecular_hu(person: Person) -> float:
    """Mean HU of spongy bone: what is usual at the age, and the person's residual.

    Source: jang2019, first lumbar vertebra of 20 374 adults (a fall of 2.5 HU a year; 226 HU up to 30, 89 HU from 90).
    """
    return float(np.clip(np.interp(person.age_years, *TRABECULAR_HU) + person.trabecular_residual_hu, 0, 400))


def trabecular_sd_hu(age_years: float) -> float:
    """Standard deviation (HU) of spongy bone between people of an age. Source: jang2019 (44 under 30, 38 from 90)."""
    return float(np.interp(age_years, *TRABECULAR_SD_HU))


def cortical_hu(person: Person) -> float:
    """HU of compact bone, which becomes porous after 45 years."""
    return YOUNG_CORTICAL_HU - 3.2 * max(0.0, person.age_years - 45)


def bone_density_g_per_ml(hounsfield):
    """What bone and marrow of some HU weigh, g/ml. Source: schneider2000 (linear fits above 100 HU and below)."""
    hounsfield = np.asarray(hounsfield, np.float64)
    return np.where(hounsfield > 100, 1.017 + 0.592e-3 * hounsfield, 1.018 + 0.893e-3 * hounsfield)
