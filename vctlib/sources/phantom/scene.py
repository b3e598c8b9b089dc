"""One attempt at a person: the posed body of a given volume with bones and organs painted in, and what it weighs."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi

from vctlib.sources.phantom.abdominal_organs import paint_abdominal_organs
from vctlib.sources.phantom.arms import paint_arms
from vctlib.sources.phantom.balance import Balance, FixedParts, solve_balance
from vctlib.sources.phantom.body import rest_body
from vctlib.sources.phantom.canvas import LABEL, Canvas, random_stream
from vctlib.sources.phantom.cavity import Cavity
from vctlib.sources.phantom.conditions import HEALTHY, Conditions
from vctlib.sources.phantom.head import paint_head, paint_skull
from vctlib.sources.phantom.head_pose import HeadPose, NeckBend
from vctlib.sources.phantom.implant import implant_hip, weigh_metal, with_metal
from vctlib.sources.phantom.landmarks import REFERENCE_HEIGHT_CM, Landmarks, find_landmarks
from vctlib.sources.phantom.legs import paint_legs
from vctlib.sources.phantom.lesions import paint_lesions
from vctlib.sources.phantom.neck_muscles import paint_neck_fat
from vctlib.sources.phantom.pelvic_organs import paint_pelvic_organs
from vctlib.sources.phantom.pelvis import paint_pelvis
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.pose import PosedBody, pose_body
from vctlib.sources.phantom.render import bone_hu, cortex_mm
from vctlib.sources.phantom.ribcage import Diaphragm, RibCage
from vctlib.sources.phantom.sex_organs import cover_genitals, paint_breast_glands, paint_genitals
from vctlib.sources.phantom.spine import ensure_vertebrae, paint_discs_and_cord, paint_spine
from vctlib.sources.phantom.template import load_template
from vctlib.sources.phantom.thoracic_organs import paint_thoracic_organs
from vctlib.sources.phantom.thorax import paint_thorax
from vctlib.sources.phantom.tissues import density_g_per_ml, mean_hu
from vctlib.sources.phantom.voxelize import Grid, cover_mesh

MOUTH_HALF_WIDTH = 45.0  # mm
SKIN_MM = {"male": 1.6, "female": 1.3}  # skin of 3.3 and 2.3 kg over 1.90 and 1.66 m2; icrp89


@dataclass(frozen=True)
class Scene:
    """Bones and organs on the canvas, HU of what every voxel of `canvas.bones` holds of bone, and the balance of what
    is still free; `metal` (k,) the share of those voxels that an implant fills, `lesions` what was painted of them,
    `bend` how the straight body that was painted lies."""

    canvas: Canvas
    landmarks: Landmarks
    cage: RibCage
    cavity: Cavity
    bone_hounsfield: np.ndarray
    balance: Balance
    metal: np.ndarray | None
    lesions: list[dict]
    bend: NeckBend


def build_scene(
    person: Person,
    spacing_mm: float,
    seed: int,
    lean_litres: float,
    total_litres: float,
    conditions: Conditions = HEALTHY,
) -> Scene:
    """Shape, pose and fill a body of a volume (litres, of the rest mesh), and paint its bones and organs."""
    template = load_template()
    rest = rest_body(
        template, person.sex, person.age_years, person.height_cm * 10, lean_litres * 1e6, total_litres * 1e6
    )
    body = pose_body(template, rest, random_stream(seed, "pose"))
    landmarks = find_landmarks(body, person, seed, conditions.fracture)
    bend = NeckBend(landmarks, HeadPose.draw(seed), float(body.outer[:, 1].max()))
    lying = replace(body, outer=bend.carry(body.outer))
    grid = Grid.around(lying.outer, spacing_mm)
    canvas = Canvas(_cover_body(lying, grid, person, bend.face_x), grid, seed, SKIN_MM[person.sex], bend.straighten)
    cage = RibCage(landmarks, seed)
    diaphragm = Diaphragm(landmarks, cage, seed)
    paint_spine(canvas, landmarks, conditions.fracture)
    paint_thorax(canvas, landmarks, cage)
    paint_pelvis(canvas, landmarks)
    paint_legs(canvas, landmarks)
    paint_arms(canvas, landmarks, cage)
    head = paint_skull(canvas, landmarks)
    ensure_vertebrae(canvas, landmarks)
    canvas.settle_bones(cortex_mm(landmarks))
    metal = implant_hip(canvas, landmarks, conditions.hip_implant)
    paint_discs_and_cord(canvas, landmarks)
    paint_head(canvas, landmarks, head)
    paint_thoracic_organs(canvas, landmarks, cage, diaphragm)
    paint_neck_fat(canvas, landmarks, cage)
    if person.male:
        paint_genitals(canvas, landmarks)
    else:
        paint_breast_glands(canvas, landmarks)
    cavity = Cavity(canvas, landmarks, cage, diaphragm)
    paint_abdominal_organs(canvas, landmarks, cage, diaphragm, cavity)
    paint_pelvic_organs(canvas, landmarks, cavity)
    lesions = paint_lesions(canvas, landmarks, cavity, conditions)
    bone_hounsfield = with_metal(canvas, bone_hu(canvas, landmarks), metal, person)
    metal_g = float(weigh_metal(canvas, metal).sum()) * canvas.voxel_ml
    balance = solve_balance(_fixed_parts(canvas, cavity, bone_hounsfield, person, metal_g), person, seed)
    return Scene(canvas, landmarks, cage, cavity, bone_hounsfield, balance, metal, lesions, bend)


def _cover_body(body: PosedBody, grid: Grid, person: Person, face_x: float) -> np.ndarray:
    """Share of every voxel inside the skin. The mesh's mouth and eye sockets are hollow, and are filled in.

    `face_x` is where the middle of the face lies, mm.
    """
    coverage = cover_mesh(body.outer, body.template.faces, grid)
    inside = coverage >= 0.5
    head_z = body.outer[body.template.vertex_region == "head", 2].min() - 30
    head = inside[:, :, int((head_z - grid.origin[2]) / grid.spacing) :]
    head |= _between(head, axis=1)
    left, right = (int((face_x + x - grid.origin[0]) / grid.spacing) for x in (MOUTH_HALF_WIDTH, -MOUTH_HALF_WIDTH))
    mouth = head[right : left + 1]
    mouth |= _between(mouth, axis=0)
    coverage[inside & (coverage < 0.5)] = 1.0
    filled = coverage[:, :, -head.shape[2] :]
    filled[ndi.binary_erosion(head)] = 1.0  # the walls of the hollows too
    if person.male:
        cover_genitals(coverage, body, grid, person.height_cm / REFERENCE_HEIGHT_CM)
    return coverage


def _between(mask: np.ndarray, axis: int) -> np.ndarray:
    """True from the first to the last true voxel of every line along the axis."""
    backwards = np.flip(np.maximum.accumulate(np.flip(mask, axis), axis), axis)
    return np.maximum.accumulate(mask, axis) & backwards


def _fixed_parts(canvas: Canvas, cavity: Cavity, bone_hounsfield: np.ndarray, person: Person, metal_g) -> FixedParts:
    density = density_g_per_ml(mean_hu(person, canvas.seed))
    room, free = canvas.room, canvas.labels == 0
    grams = density[canvas.labels] * room * canvas.voxel_ml
    bones, skin_g = canvas.bones, canvas.skin.sum(dtype=np.float64) * canvas.voxel_ml * density[LABEL["skin"]]
    bone_g = density_g_per_ml(bone_hounsfield) @ (bones.cortex + bones.marrow) * canvas.voxel_ml
    return FixedParts(
        mass_g=float(grams[~free].sum(dtype=np.float64) + bone_g + skin_g + metal_g),
        fat_g=float(grams[canvas.labels == LABEL["torso_fat"]].sum(dtype=np.float64)),
        other_fat_g=float(grams[canvas.labels == LABEL["intermuscular_fat"]].sum(dtype=np.float64)),
        free_ml=float(room[free].sum(dtype=np.float64)) * canvas.voxel_ml,
        free_in_cavity_ml=float(room[free & np.isfinite(cavity.core)].sum(dtype=np.float64)) * canvas.voxel_ml,
    )
