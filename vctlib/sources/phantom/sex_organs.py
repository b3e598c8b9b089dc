"""What tells the sexes apart from outside: the glands of the breasts, and the male genitals, which the mesh lacks."""

import numpy as np

from vctlib.sources.phantom.bone_layer import BALL, ROD, share_of_voxel
from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.geometry import capsule_distance, ellipsoid_radius, outward
from vctlib.sources.phantom.landmarks import T1, Landmarks
from vctlib.sources.phantom.pose import SIDES, TRUNK, PosedBody
from vctlib.sources.phantom.voxelize import Grid

GLAND_ML, GLAND_ML_PER_YEAR = 105.0, -1.4  # of one breast at 40 years: it turns into fat with age; a choice
GLAND_SPREAD = 0.35  # of the logarithm


def cover_genitals(coverage: np.ndarray, body: PosedBody, grid: Grid, scale: float) -> None:
    """Add penis and scrotum to the share (x, y, z) of every voxel inside the skin."""
    for start, end, radius in _genitals(body, scale):
        low = np.floor((np.minimum(start, end) - radius - grid.origin) / grid.spacing).astype(int) - 1
        high = np.ceil((np.maximum(start, end) + radius - grid.origin) / grid.spacing).astype(int) + 2
        low, high = np.maximum(low, 0), np.minimum(high, grid.shape)
        place = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
        points = (index * grid.spacing + grid.origin).reshape(-1, 3)
        depth = -capsule_distance(points, start, end, radius, radius)
        kind = np.full(len(points), BALL if np.allclose(start, end) else ROD)
        share = share_of_voxel(depth, np.full(len(points), radius), kind, grid.spacing / 2)
        coverage[place] = np.maximum(coverage[place], share.reshape(coverage[place].shape))


def paint_genitals(canvas: Canvas, landmarks: Landmarks) -> None:
    for start, end, radius in _genitals(landmarks.body, landmarks.scale):
        near = canvas.around([start, end], radius)
        inner = capsule_distance(canvas.positions[near], start, end, radius, radius) < -2.0
        canvas.fill("connective_tissue", near, inner)


def _genitals(body: PosedBody, scale: float) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Ends and radius (mm) of rods and balls that stand for them, lying on the thighs in front of the pubis."""
    trunk = body.outer[body.template.in_region(*TRUNK)]
    middle = trunk[np.abs(trunk[:, 0]) < 25 * scale]
    crotch_z = middle[:, 2].min()
    near = middle[middle[:, 2] < crotch_z + 60 * scale]
    front_y = near[:, 1].min()
    root = np.array([0, front_y + 8 * scale, crotch_z + 42 * scale])
    testes = [np.array([sign * 17 * scale, front_y + 18 * scale, crotch_z - 4 * scale]) for sign in (1, -1)]
    tip = np.array([9 * scale, front_y - 8 * scale, crotch_z - 44 * scale])
    return [(root, tip, 14 * scale), *((testis, testis, 19 * scale) for testis in testes)]


def paint_breast_glands(canvas: Canvas, landmarks: Landmarks) -> None:
    """Glandular tissue behind the nipples."""
    body, scale, spine = landmarks.body, landmarks.scale, landmarks.spine
    trunk = body.outer[body.template.in_region(*TRUNK, "shoulder", "clavicle")]
    rng = random_stream(canvas.seed, "breasts")
    volume_ml = max(GLAND_ML + GLAND_ML_PER_YEAR * (landmarks.age - 40), 20.0) * np.exp(rng.normal(0, GLAND_SPREAD))
    for _, _, sign in SIDES:
        beside = trunk[(trunk[:, 0] * sign > 45 * scale) & (trunk[:, 0] * sign < 150 * scale)]
        beside = beside[(beside[:, 2] < spine[T1 + 3, 2]) & (beside[:, 2] > spine[T1 + 10, 2])]
        if len(beside) == 0:
            continue
        nipple = beside[beside[:, 1].argmin()]
        centre = nipple + outward(scale, sign)(4, 26, 0)
        near = canvas.around(centre, 75 * scale)
        radius = ellipsoid_radius(canvas.positions[near], centre, np.array([42, 26, 40]) * scale)
        radius += 0.45 * canvas.noise("breast lobules", 9, near)
        canvas.pick("breast", near, radius, volume_ml, (canvas.depth[near] > 5.0) & (radius < 1.7))
