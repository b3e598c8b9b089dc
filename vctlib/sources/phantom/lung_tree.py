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
    nodes, parent = _join(leaves, 0.06 * rng.normal(size=(len(leaves), 3)), hilum)
    flow = [0.0, *[0.0, 1.0] * len(leaves)]
    for node in range(len(nodes) - 1, 0, -1):
        flow[parent[node]] += flow[node]
    starts, branches = nodes[parent[1:]], nodes[1:] - nodes[parent[1:]]
    radii = np.minimum(LEAF_RADIUS_MM * np.cbrt(flow[1:]), LARGEST_RADIUS_MM)
    count = np.maximum((np.linalg.norm(branches, axis=1) / STEP_MM).astype(int), 2)  # of points on every branch
    branch = np.repeat(np.arange(len(branches)), count)
    along = (np.arange(len(branch)) - np.repeat(np.cumsum(count) - count, count)) / (count[branch] - 1)
    return starts[branch] + along[:, None] * branches[branch], radii[branch]


def _join(leaves: np.ndarray, bends: np.ndarray, hilum: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Nodes (2 n + 1, 3) of a tree from the hilum to leaves (n, 3), which are every second one, and their parents."""
    nodes, parent = np.zeros((2 * len(leaves) + 1, 3)), [-1]
    nodes[0], from_hilum = hilum, np.zeros(2 * len(leaves) + 1)
    for n, (leaf, bend) in enumerate(zip(leaves, bends, strict=True)):
        # Every leaf joins the tree where that makes a short, forward-running branch.
        known = 2 * n + 1
        to_leaf = leaf - nodes[:known]
        length = np.sqrt(np.einsum("ij,ij->i", to_leaf, to_leaf))
        start = int((length + 0.55 * from_hilum[:known]).argmin())
        nodes[known] = nodes[start] + 0.45 * to_leaf[start] + bend * length[start]
        nodes[known + 1] = leaf
        away = nodes[known : known + 2] - hilum
        from_hilum[known : known + 2] = np.sqrt(np.einsum("ij,ij->i", away, away))
        parent += [start, known]
    return nodes, parent
