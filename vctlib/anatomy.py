"""Anatomy by name: label tables, the paper's 16 classes, tissues and Hounsfield windows.

Every structure is known by its TotalSegmentator name. A *label table* maps the integers of a label
map to names; three tables are used here:

- `TOTAL`: everything a phantom knows; 1-117 are TotalSegmentator's `total` task, number for number.
- `MEASURE`: what the independent segmenter predicts, enough for every measurement of appendix B.
- `PAPER16`: the 16 classes of the paper's Table 1, which the generator models.

Source: Wasserthal et al. 2023 (names, TotalSegmentator 2.18.0); killeen2025 Table 1 (classes).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

LabelTable = Mapping[int, str]


class Window(NamedTuple):
    """A closed-open interval of Hounsfield units."""

    low: float
    high: float


# Display windows (level, width as a radiographer sets them) and tissue windows.
DISPLAY_WINDOW = MappingProxyType(
    {
        "soft_tissue": Window(-160, 240),
        "bone": Window(-450, 1050),
        "lung": Window(-1350, 150),
        "body": Window(-250, 450),
    }
)
FAT_WINDOW = Window(-190, -30)  # adipose tissue; Aubrey et al. 2014
MUSCLE_WINDOW = Window(-29, 150)  # skeletal muscle; Aubrey et al. 2014
HU_RANGE = Window(-1024.0, 3071.0)  # what 12-bit CT stores
AIR_HU = -1000.0

VERTEBRAE = tuple(
    [f"vertebrae_C{i}" for i in range(1, 8)]
    + [f"vertebrae_T{i}" for i in range(1, 13)]
    + [f"vertebrae_L{i}" for i in range(1, 6)]
)  # head to tail

_TOTAL_117 = (
    "spleen kidney_right kidney_left gallbladder liver stomach pancreas adrenal_gland_right adrenal_gland_left "
    "lung_upper_lobe_left lung_lower_lobe_left lung_upper_lobe_right lung_middle_lobe_right lung_lower_lobe_right "
    "esophagus trachea thyroid_gland small_bowel duodenum colon urinary_bladder prostate kidney_cyst_left "
    "kidney_cyst_right sacrum vertebrae_S1"
).split()
_TOTAL_117 += list(reversed(VERTEBRAE))
_TOTAL_117 += (
    "heart aorta pulmonary_vein brachiocephalic_trunk subclavian_artery_right subclavian_artery_left "
    "common_carotid_artery_right common_carotid_artery_left brachiocephalic_vein_left brachiocephalic_vein_right "
    "atrial_appendage_left superior_vena_cava inferior_vena_cava portal_vein_and_splenic_vein iliac_artery_left "
    "iliac_artery_right iliac_vena_left iliac_vena_right humerus_left humerus_right scapula_left scapula_right "
    "clavicula_left clavicula_right femur_left femur_right hip_left hip_right spinal_cord gluteus_maximus_left "
    "gluteus_maximus_right gluteus_medius_left gluteus_medius_right gluteus_minimus_left gluteus_minimus_right "
    "autochthon_left autochthon_right iliopsoas_left iliopsoas_right brain skull"
).split()
_TOTAL_117 += [f"rib_left_{i}" for i in range(1, 13)] + [f"rib_right_{i}" for i in range(1, 13)]
_TOTAL_117 += ["sternum", "costal_cartilages"]

# TotalSegmentator's `appendicular_bones` (no sides there), its tissue names, and what no task of it has.
_APPENDICULAR_EXTRA = (
    "patella tibia fibula tarsal metatarsal phalanges_feet ulna radius carpal metacarpal phalanges_hand"
).split()
_TISSUE_EXTRA = "subcutaneous_fat torso_fat intermuscular_fat skeletal_muscle".split()
_OTHER_EXTRA = (
    "mandible intervertebral_discs eye subarachnoid_space nasal_cavity bowel_gas uterus connective_tissue skin breast "
    "pulmonary_artery blood_vessel"
).split()

# Muscles of TotalSegmentator's tasks `thigh_shoulder_muscles`, `abdominal_muscles` and `headneck_muscles`, and of none.
_MUSCLES = (
    "quadriceps_femoris sartorius thigh_medial_compartment thigh_posterior_compartment deltoid supraspinatus "
    "infraspinatus subscapularis teres_major triceps_brachii pectoralis_minor serratus_anterior pectoralis_major "
    "rectus_abdominis latissimus_dorsi trapezius external_oblique internal_oblique quadratus_lumborum "
    "sternocleidomastoid masseter temporalis "
    "biceps_brachii forearm_flexors forearm_extensors calf_posterior_compartment leg_anterior_compartment"
).split()
_MUSCLES_EXTRA = [f"{name}_{side}" for name in _MUSCLES for side in ("left", "right")]
_CONDITIONS_EXTRA = "liver_lesion lung_nodule ascites hip_implant".split()  # what a person may have besides
_SEX_EXTRA = "ovary_left ovary_right seminal_vesicle_left seminal_vesicle_right".split()  # no task has them

# Of TotalSegmentator's tasks `head_glands_cavities` and `headneck_bones_vessels`; `paranasal_sinuses` holds the air
# cells of the mastoid too.
_HEAD_EXTRA = (
    "hyoid thyroid_cartilage cricoid_cartilage parotid_gland_left parotid_gland_right submandibular_gland_left "
    "submandibular_gland_right paranasal_sinuses"
).split()

TOTAL: LabelTable = MappingProxyType(
    dict(
        enumerate(
            _TOTAL_117
            + _APPENDICULAR_EXTRA
            + _TISSUE_EXTRA
            + _OTHER_EXTRA
            + _MUSCLES_EXTRA
            + _HEAD_EXTRA
            + _CONDITIONS_EXTRA
            + _SEX_EXTRA,
            start=1,
        )
    )
)

PAPER16: LabelTable = MappingProxyType(
    dict(
        enumerate(
            "bone spleen kidney liver lung_upper_lobes lung_lower_lobes lung_middle_lobe urinary_bladder prostate "
            "heart aorta gluteus_muscles autochthonous_muscles iliopsoas brain appendicular_bones".split(),
            start=1,
        )
    )
)

MEASURE: LabelTable = MappingProxyType(
    dict(
        enumerate(
            (
                "bone vertebrae_C1 vertebrae_C2 vertebrae_C7 vertebrae_L1 hip_left hip_right femur_left femur_right "
                "tibia appendicular_bones spleen kidney_left kidney_right liver lung_upper_lobes lung_lower_lobes "
                "lung_middle_lobe urinary_bladder prostate heart aorta gluteus_muscles autochthonous_muscles iliopsoas "
                "brain subcutaneous_fat torso_fat intermuscular_fat skeletal_muscle connective_tissue"
            ).split(),
            start=1,
        )
    )
)

_APPENDICULAR = {"humerus", "scapula", "clavicula", "femur", *_APPENDICULAR_EXTRA, "appendicular_bones", "hip_implant"}
_AXIAL = {"sacrum", "skull", "mandible", "hyoid", "sternum", "costal_cartilages", "bone"}
_CLASS_BY_STEM = {
    "spleen": "spleen", "kidney": "kidney", "liver": "liver", "urinary_bladder": "urinary_bladder",
    "prostate": "prostate", "heart": "heart", "aorta": "aorta", "brain": "brain",
    "gluteus_maximus": "gluteus_muscles", "gluteus_medius": "gluteus_muscles", "gluteus_minimus": "gluteus_muscles",
    "gluteus_muscles": "gluteus_muscles", "autochthon": "autochthonous_muscles",
    "autochthonous_muscles": "autochthonous_muscles", "iliopsoas": "iliopsoas", "liver_lesion": "liver",
}  # fmt: skip


def stem(name: str) -> str:
    """The name without its side: `kidney_left` -> `kidney`."""
    for side in ("_left", "_right"):
        name = name.removesuffix(side)
    return name


def paper_class(name: str) -> str | None:
    """The class of Table 1 that a structure belongs to, or None. "bone" is every non-appendicular bone."""
    base = stem(name)
    if base in _APPENDICULAR:
        return "appendicular_bones"
    if base in _AXIAL or base == "hip" or base.startswith(("vertebrae_", "rib_")):
        return "bone"
    if base.startswith("lung_") and "lobe" in base:
        return "lung_" + base.split("_")[1] + ("_lobe" if "middle" in base else "_lobes")
    return _CLASS_BY_STEM.get(base)


def tissue(name: str) -> str:
    """`fat`, `muscle`, `bone`, `lung`, `gas`, `skin` or `organ` (everything else inside the body)."""
    if name.endswith("_fat"):
        return "fat"
    if name == "skeletal_muscle" or stem(name) in _MUSCLES:
        return "muscle"
    if name in ("bowel_gas", "trachea", "nasal_cavity", "paranasal_sinuses"):
        return "gas"
    if name == "skin":
        return "skin"
    category = paper_class(name)
    if category in ("gluteus_muscles", "autochthonous_muscles", "iliopsoas"):
        return "muscle"
    if category in ("bone", "appendicular_bones"):
        return "bone"
    return "lung" if (category or "").startswith("lung_") else "organ"


def _measure_name(name: str) -> str | None:
    """The name in `MEASURE` that stands for a structure of `TOTAL`."""
    names = set(MEASURE.values())
    if name in names:
        return name
    if stem(name) in _MUSCLES:
        return "skeletal_muscle"
    category = paper_class(name)
    if category in names:
        return category
    return "connective_tissue"  # every other structure inside the body


def ids_of(table: LabelTable, *names: str) -> list[int]:
    """Label numbers of the named structures. Raises KeyError with the missing name."""
    by_name = {name: number for number, name in table.items()}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise KeyError(f"the label table has no structure named {', '.join(missing)}")
    return [by_name[name] for name in names]


def ids_where(table: LabelTable, *, paper: str | None = None, tissue_is: str | None = None) -> list[int]:
    """Label numbers whose structure is of the given paper class or tissue."""
    return [
        number
        for number, name in table.items()
        if (paper is None or paper_class(name) == paper) and (tissue_is is None or tissue(name) == tissue_is)
    ]


def reduce_labels(labels: np.ndarray, source: LabelTable, target: LabelTable) -> np.ndarray:
    """Map a label array (any shape, unsigned integers) from one table to a coarser one.

    `target` is `PAPER16` or `MEASURE`, or a table of which every source name is also a name. Structures with no
    counterpart become 0. Raises ValueError for a label number that `source` does not name.
    """
    target_ids = {name: number for number, name in target.items()}
    lookup = np.zeros(256, np.uint8)
    known = np.zeros(256, bool)
    known[0] = True
    for number, name in source.items():
        if dict(target) == dict(PAPER16):
            name = paper_class(name)
        elif dict(target) == dict(MEASURE):
            name = _measure_name(name)
        lookup[number] = target_ids.get(name, 0)
        known[number] = True
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    unknown = [int(number) for number in present if number > 255 or not known[number]]
    if unknown:
        raise ValueError(f"label numbers {unknown} are not in the label table ({len(source)} names)")
    return lookup[labels]
