"""A digital person: full-body CT, label map and the truth about both, from a handful of attributes.

The skin is a template body shaped and posed for the person. Bones and organs are painted into it, the remaining voxels
are shared out among fat, muscle and the rest so that the person's percentages hold, and every voxel gets its Hounsfield
unit. The body's volume is corrected until its mass is the person's.
"""

import math
from dataclasses import dataclass

import numpy as np

from vctlib.anatomy import PAPER16, TOTAL, ids_where
from vctlib.errors import InputError
from vctlib.sources.phantom.amputation import amputate
from vctlib.sources.phantom.canvas import LABEL
from vctlib.sources.phantom.conditions import HEALTHY, Conditions
from vctlib.sources.phantom.contact import part_at_contacts
from vctlib.sources.phantom.findings import list_findings
from vctlib.sources.phantom.implant import weigh_metal
from vctlib.sources.phantom.lung_tree import paint_lung_vessels
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.render import mixed_hu, skeleton_mass_kg, soft_tissue_hu, to_volume
from vctlib.sources.phantom.scene import SKIN_MM, Scene, build_scene
from vctlib.sources.phantom.soft_tissue import paint_soft_tissue
from vctlib.sources.phantom.tissues import BONE_IDS, FAT_IDS, HU, MUSCLE_IDS, density_g_per_ml, trabecular_hu

TRIAL_SPACING_MM = 16.0  # volumes are solved at this spacing or the wanted one, whichever is coarser: it is quick
MASS_TOLERANCE = 0.002  # of the person's weight
MAX_TRIALS = 7
FINE_FROM = 0.012  # part of the mass that may be missing when the wanted spacing is tried
USUAL_GAIN = 0.88  # of the free tissue's density: arms press into a fuller trunk, and all of it onto the table
SHAPE_TOLERANCE = 0.03  # of the weight: beyond it the template cannot shape the person
FAT_DENSITY, LEAN_DENSITY = 0.90, 1.075  # g/ml, for the first guess of the body's volume
SKINNING_LOSS = 1.018  # rest volume per posed volume, for the first guess


@dataclass(frozen=True)
class Phantom:
    """`hu` float32, `labels` uint8 (table TOTAL), both (x, y, z) in RAS+; `affine` 4x4 to mm; `truth` by name;
    `findings` where the person's conditions lie (see `list_findings`)."""

    hu: np.ndarray
    labels: np.ndarray
    affine: np.ndarray
    truth: dict[str, float]
    findings: tuple[dict, ...] = ()


def make_phantom(person: Person, spacing_mm: float, seed: int, conditions: Conditions = HEALTHY) -> Phantom:
    """The phantom of a person, at isotropic voxels of `spacing_mm`; the same inputs give the same phantom.

    After an amputation body and truth are of what is left of the person, who is made whole first. `truth` holds
    percentages of body mass, kg, litres, ml, HU, cm and degrees, the unit being part of each name.
    Raises InputError for a spacing that is not positive or a person whom the body template cannot shape.
    """
    if not (math.isfinite(spacing_mm) and spacing_mm > 0):
        raise InputError(f"a phantom's spacing_mm must be a positive number of mm, not {spacing_mm:g}")
    scene = _solve_volume(person, spacing_mm, seed, conditions)
    canvas, landmarks = scene.canvas, scene.landmarks
    part_at_contacts(canvas, landmarks.body)
    paint_soft_tissue(canvas, landmarks, scene.cage, scene.cavity, scene.balance)
    paint_lung_vessels(canvas, landmarks)
    stump = amputate(canvas, landmarks, conditions.amputation, SKIN_MM[person.sex])
    soft_hounsfield = soft_tissue_hu(canvas, landmarks)
    hounsfield = mixed_hu(canvas, soft_hounsfield, scene.bone_hounsfield)
    labels = np.zeros(canvas.grid.shape, np.uint8)
    labels[tuple(canvas.index.T)] = canvas.label_map()
    # The body frame has x to the left and y to the back: turn both over to RAS+.
    last = canvas.grid.origin + (np.array(canvas.grid.shape) - 1) * canvas.spacing
    affine = np.diag([canvas.spacing] * 3 + [1.0])
    affine[:3, 3] = -last[0], -last[1], canvas.grid.origin[2]
    hu = np.ascontiguousarray(to_volume(canvas, hounsfield)[::-1, ::-1])
    truth, findings = _truth(scene, soft_hounsfield, person), list_findings(scene, conditions, stump)
    return Phantom(hu, np.ascontiguousarray(labels[::-1, ::-1]), affine, truth, findings)


def _solve_volume(person: Person, spacing_mm: float, seed: int, conditions: Conditions) -> Scene:
    """The scene at the wanted spacing whose mass is the person's weight."""
    fat = person.body_fat_percent / 100 * person.weight_kg
    lean = (person.weight_kg - fat) / LEAN_DENSITY + (3.5 if person.male else 2.7) * (person.height_cm / 175) ** 3
    total = (fat / FAT_DENSITY + lean) * SKINNING_LOSS
    lean = 1.09 * lean + 1.0
    trial_spacing = max(spacing_mm, TRIAL_SPACING_MM)
    trials: list[tuple[float, float]] = []  # total volume, mass
    while True:
        scene = build_scene(person, trial_spacing, seed, min(lean, 0.985 * total), total, conditions)
        trials.append((total, float(scene.balance.mass_kg)))
        missing = 1 - scene.balance.mass_kg / person.weight_kg
        if (
            trial_spacing == spacing_mm
            and abs(missing) <= (1 if spacing_mm >= TRIAL_SPACING_MM else 2) * MASS_TOLERANCE
        ):
            return scene
        if len(trials) >= MAX_TRIALS:
            break
        if abs(missing) <= FINE_FROM:
            trial_spacing = spacing_mm  # a finer body weighs nearly the same
        total += _missing_litres(trials, person.weight_kg, scene.balance.free_density)
    if abs(missing) > SHAPE_TOLERANCE:
        raise InputError(
            f"the body template cannot shape a {person.sex} of {person.height_cm:.0f} cm, {person.weight_kg:.0f} kg, "
            f"{person.body_fat_percent:.0f} % fat: it ends at {scene.balance.mass_kg:.0f} kg; choose another weight"
        )
    return scene


def _missing_litres(trials: list[tuple[float, float]], weight_kg: float, free_density: float) -> float:
    """Volume (litres) to add, by the line through the last two trials, or what a litre usually weighs."""
    (before, less), (now, mass) = trials[-2:] if len(trials) > 1 else ((0.0, 0.0), trials[-1])
    kg_per_litre = (mass - less) / (now - before) if len(trials) > 1 and abs(now - before) > 1e-3 else 0.0
    if not 0.5 < kg_per_litre / free_density < 2.5:
        kg_per_litre = USUAL_GAIN * free_density
    return (weight_kg - mass) / kg_per_litre


def _truth(scene: Scene, soft_hounsfield: np.ndarray, person: Person) -> dict[str, float]:
    """What the phantom is made of, from the shares of its own voxels before blurring."""
    canvas, bones, ml = scene.canvas, scene.canvas.bones, scene.canvas.voxel_ml
    volume_ml = np.bincount(canvas.label_map(), minlength=256) * ml
    grams = np.bincount(canvas.labels, canvas.room * density_g_per_ml(soft_hounsfield.astype(np.float64)), 256)
    grams += np.bincount(bones.labels, (bones.cortex + bones.marrow) * density_g_per_ml(scene.bone_hounsfield), 256)
    grams += weigh_metal(canvas, scene.metal)
    grams[LABEL["skin"]] += canvas.skin.sum(dtype=np.float64) * density_g_per_ml(HU["skin"])
    mass_kg = grams * ml / 1000
    total = mass_kg.sum()
    truth = {
        "body_fat_percent_true": 100 * mass_kg[FAT_IDS].sum() / total,
        "muscle_percent_true": 100 * mass_kg[MUSCLE_IDS].sum() / total,
        "mass_kg_true": total,
        "body_volume_l_true": canvas.coverage.sum(dtype=np.float64) * ml / 1000,
        "bone_mass_kg_true": mass_kg[BONE_IDS].sum(),
        "skeleton_mass_kg_true": skeleton_mass_kg(canvas, scene.landmarks),
        "visceral_fat_kg_true": mass_kg[LABEL["torso_fat"]],
        "trabecular_hu_true": trabecular_hu(person),
        "height_cm_true": person.height_cm,
        "head_flexion_deg_true": scene.bend.pose.flexion_deg,
        "head_tilt_deg_true": scene.bend.pose.tilt_deg,
        "head_turn_deg_true": scene.bend.pose.turn_deg,
    }
    for name in PAPER16.values():
        truth[f"{name}_volume_ml_true"] = volume_ml[ids_where(TOTAL, paper=name)].sum()
    return {name: float(value) for name, value in truth.items()}
