"""The vessels inside the lungs, as trees from each hilum into its lobes."""

import numpy as np
from scipy.spatial import cKDTree

from vctlib.sources.phantom.bone_layer import ROD, share_of_voxel
from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.landmarks import Landmarks
from vctlib.sources.phantom.tissues import HU
from vctlib.sources.phantom.vessels import lung_hilum

LEAVES = 320  # ends of a lung's tree
LEAF_RADIUS_MM, LARGEST_RADIUS_MM = 1.15, 7.5
STEP_MM = 4.0
LOBES = {
    1: ("lung_upper_lobe_left", "lung_lower_lobe_left"),
    -1: ("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"),
}


def paint_lung_vessels(canvas: Canvas, landmarks: Landmarks) -> None:
    """Add the vessels' share of every lung voxel to `canvas.contrast_hu`."""
    for sign, lobes in LOBES.items():
        lung = np.flatnonzero(canvas.is_any(*lobes))
        if len(lung) == 0:
            continue
        rng = random_stream(canvas.seed, f"lung vessels {sign}")
        points, radii = _tree(canvas, lung, lung_hilum(landmarks, sign), rng)
        distance, nearest = cKDTree(points).query(
            canvas.positions[lung], distance_upper_bound=LARGEST_RADIUS_MM * landmarks.scale + canvas.spacing
        )
        found = np.isfinite(distance)
        radius = radii[nearest[found]] * landmarks.scale
        kind = np.full(found.sum(), ROD)
        share = share_of_voxel(radius - distance[found], radius, kind, canvas.spacing / 2)
        canvas.contrast_hu[lung[found]] += share * (HU["pulmonary_artery"] - landmarks.person.lung_hu)


def _tree(canvas: Canvas, lung: np.ndarray, hilum: np.ndarray, rng: np.random.Generator):
    """Points (k, 3) along the branches and their radii (k,), by Murray's law: cubes of radii add up."""
    low, high = canvas.positions[lung].min(0), canvas.positions[lung].max(0)
    leaves = rng.uniform(low, high, (6 * LEAVES, 3))
    label = np.zeros(canvas.grid.shape, bool)
    label[tuple(canvas.index[lung].T)] = True
    index = np.rint((leaves - canvas.grid.origin) / canvas.spacing).astype(int)
    leaves = leaves[label[tuple(np.clip(index, 0, np.array(label.shape) - 1).T)]][:LEAVES]
    leaves = leaves[np.argsort(np.linalg.norm(leaves - hilum, axis=1))]
    nodes, parent = np.zeros((2 * len(leaves) + 1, 3)), [-1]
    nodes[0], from_hilum = hilum, np.zeros(2 * len(leaves) + 1)
    bends = 0.06 * rng.normal(size=(len(leaves), 3))
    for n, (leaf, bend) in enumerate(zip(leaves, bends, strict=True)):
        # Every leaf joins the tree where that makes a short, forward-running branch.
        known = 2 * n + 1
        to_leaf = leaf - nodes[:known]
        length = np.sqrt((to_leaf**2).sum(1))
        start = int((length + 0.55 * from_hilum[:known]).argmin())
        nodes[known] = nodes[start] + 0.45 * to_leaf[start] + bend * length[start]
        nodes[known + 1] = leaf
        from_hilum[known : known + 2] = np.linalg.norm(nodes[known : known + 2] - hilum, axis=1)
        parent += [start, known]
    flow = np.zeros(len(nodes))
    flow[2::2] = 1
    for node in range(len(nodes) - 1, 0, -1):
        flow[parent[node]] += flow[node]
    points, radii = [], []
    for node in range(1, len(nodes)):
        start, end = nodes[parent[node]], nodes[node]
        along = np.linspace(0, 1, max(2, int(np.linalg.norm(end - start) / STEP_MM)))[:, None]
        points.append(start + along * (end - start))
        radii.append(np.full(len(along), min(LEAF_RADIUS_MM * flow[node] ** (1 / 3), LARGEST_RADIUS_MM)))
    return np.concatenate(points), np.concatenate(radii)
