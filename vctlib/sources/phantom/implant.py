"""A hip implant: a cup in the pelvis and a ball on a stem in the thigh bone, of titanium, in place of head and neck."""

from dataclasses import fields, replace

import numpy as np

from vctlib.sources.phantom.bone_layer import BALL, PLATE, ROD, share_of_voxel
from vctlib.sources.phantom.canvas import LABEL, Canvas
from vctlib.sources.phantom.geometry import capsule_distance, outward, unit
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.pelvis import hip_centre
from vctlib.sources.phantom.pose import SIDES
from vctlib.sources.phantom.spectrum import TITANIUM_G_PER_CM3, TITANIUM_HU
from vctlib.sources.phantom.tissues import cortical_hu, density_g_per_ml

# Sizes in mm at 175 cm, near those of common models; choices. The liner between cup and ball is plastic, which is
# painted as soft tissue.
BALL_RADIUS, CUP_INNER, CUP_OUTER, NECK_RADIUS = 16.0, 22.5, 26.5, 6.5
STEM_ABOVE, STEM_BELOW, STEM_RADII = 30.0, 100.0, (8.5, 5.0)  # from the level of the lesser trochanter
RESECTED = 0.55  # share of the way from the head to the stem at which the neck is cut


def implant_hip(canvas: Canvas, landmarks: Landmarks, side: str) -> np.ndarray | None:
    """Replace a hip ("left", "right"; "none" does nothing) once bones are settled.

    Returns the share (k,) of metal in every voxel of the new `canvas.bones`, or None.
    """
    if side == "none":
        return None
    suffix, sign = next((suffix, sign) for name, suffix, sign in SIDES if name == side)
    head, top, tip = _places(landmarks, suffix, sign)
    scale = landmarks.scale
    near = canvas.around([head, top, tip], (CUP_OUTER + 20) * scale)
    points = canvas.positions[near]
    metal = _metal(points, head, top, tip, sign, scale, canvas.spacing / 2) * (1 - canvas.skin[near])
    metal *= canvas.coverage[near] > 0.5
    axis = unit(top - head)
    along = (points - head.astype(np.float32)) @ axis.astype(np.float32) / np.linalg.norm(top - head)
    resected = (along < RESECTED) & (np.linalg.norm(points - head, axis=1) < 60 * scale)
    in_cup = np.linalg.norm(points - head, axis=1) < CUP_OUTER * scale
    return _exchange(canvas, near, metal.astype(np.float32), resected, in_cup, side)


def _places(landmarks: Landmarks, suffix: str, sign: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre of the head, shoulder and tip of the stem, mm. The thigh bone's own points are those of `legs`."""
    scale, head = landmarks.scale, hip_centre(landmarks, sign)
    out, knee = outward(scale, sign), landmarks.joint(f"lowerleg01.{suffix}")
    below_trochanter = head + out(50, 8, -62)
    middle = (below_trochanter + knee - unit(knee - head) * 66 * scale) / 2 + out(0, -9, 0)
    shaft = unit(middle - below_trochanter) * scale
    return head, below_trochanter - shaft * STEM_ABOVE, below_trochanter + shaft * STEM_BELOW


def _metal(points: np.ndarray, head, top, tip, sign: int, scale: float, half: float) -> np.ndarray:
    """Share (m,) of voxels of half width `half` at points (m, 3) that is metal."""
    from_head = points - head.astype(np.float32)
    radius = np.linalg.norm(from_head, axis=1)
    middle, thickness = (CUP_INNER + CUP_OUTER) / 2 * scale, (CUP_OUTER - CUP_INNER) / 2 * scale
    opening = from_head @ (np.array([sign * 0.62, -0.25, -0.74], np.float32))  # outwards, a little forwards, down
    parts = (
        (radius - BALL_RADIUS * scale, BALL_RADIUS * scale, BALL),
        (np.maximum(np.abs(radius - middle) - thickness, opening), thickness, PLATE),
        (capsule_distance(points, head, top, NECK_RADIUS * scale, STEM_RADII[0] * scale), NECK_RADIUS * scale, ROD),
        (capsule_distance(points, top, tip, *(r * scale for r in STEM_RADII)), np.mean(STEM_RADII) * scale, ROD),
    )
    shares = [
        share_of_voxel(-distance, np.full(len(points), thick), np.full(len(points), kind), half)
        for distance, thick, kind in parts
    ]
    return np.max(shares, axis=0)


def _exchange(canvas: Canvas, near, metal, resected, in_cup, side: str) -> np.ndarray:
    """Put metal (share of the voxels `near`) into the bones and take the resected bone out; metal by voxel of bone."""
    bones, n = canvas.bones, len(canvas)
    metal_at, cut_at, cup_at = np.zeros(n, np.float32), np.zeros(n, bool), np.zeros(n, bool)
    metal_at[near], cut_at[near], cup_at[near] = metal, resected, in_cup
    new = np.setdiff1d(near[metal > 1e-3], bones.voxels)
    added = {
        "voxels": new,
        "labels": np.full(len(new), LABEL["hip_implant"], np.uint8),
        "main": np.zeros(len(new), bool),
    }
    rows = {name: np.concatenate([getattr(bones, name), value]) for name, value in added.items()}
    for name in {field.name for field in fields(bones)} - set(rows):
        rows[name] = np.concatenate([getattr(bones, name), np.zeros(len(new), getattr(bones, name).dtype)])
    voxels, labels = rows["voxels"], rows["labels"]
    canvas.bone_share[voxels], canvas.is_bone[voxels] = 0, False
    share = metal_at[voxels]
    gone = (labels == LABEL[f"femur_{side}"]) & cut_at[voxels]
    gone |= (labels == LABEL[f"hip_{side}"]) & cup_at[voxels]
    bone = np.where(gone, 0, rows["cortex"] + rows["marrow"])
    total = np.maximum(bone, share)
    kept = np.where(bone > 0, (total - share) / np.maximum(bone, 1e-6), 0)
    rows["cortex"] = (rows["cortex"] * kept + share).astype(np.float32)
    rows["marrow"] = (rows["marrow"] * kept).astype(np.float32)
    is_metal = share >= 0.5
    rows["labels"] = np.where(is_metal | gone, LABEL["hip_implant"], labels).astype(np.uint8)
    rows["main"] = np.where(gone, False, rows["main"]) | is_metal
    kept = rows["cortex"] + rows["marrow"] > 1e-3
    bones = canvas.bones = replace(bones, **{name: values[kept] for name, values in rows.items()})
    canvas.bone_share[bones.voxels], canvas.is_bone[bones.voxels] = bones.cortex + bones.marrow, bones.main
    return share[kept]


def with_metal(canvas: Canvas, bone_hounsfield: np.ndarray, metal: np.ndarray | None, person) -> np.ndarray:
    """HU (k,) of the voxels of `canvas.bones`, where metal was counted as compact bone, with the metal's own."""
    if metal is None:
        return bone_hounsfield
    share = metal / (canvas.bones.cortex + canvas.bones.marrow)
    return bone_hounsfield + share * (TITANIUM_HU - cortical_hu(person))


def weigh_metal(canvas: Canvas, metal: np.ndarray | None) -> np.ndarray:
    """What to add (256,) to masses in g by label of `canvas.bones`, per voxel of 1 ml, that rest on HU.

    Metal in voxels of bone counts as the implant's, with the density of titanium: it weighs less than its HU.
    """
    grams = np.zeros(256)
    if metal is not None:
        grams -= np.bincount(canvas.bones.labels, metal * density_g_per_ml(TITANIUM_HU), 256)
        grams[LABEL["hip_implant"]] += TITANIUM_G_PER_CM3 * metal.sum(dtype=np.float64)
    return grams
