"""Parts of a CT and its reconstruction: every voxel in one part, and what is exchanged comes from the other."""

import numpy as np
import pytest

from vctlib.errors import InputError
from vctlib.metrics.exchange import PARTS, body_parts, exchanged, picture_names

AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])


@pytest.fixture
def pair():
    """A block of fat about muscle about lung, with a bone; the reconstruction is smaller, and 7 HU brighter."""
    ct = np.full((24, 20, 16), -1000.0)
    ct[2:22, 2:18, 1:15] = -100
    ct[5:19, 5:15, 3:13] = 50
    ct[8:11, 8:11, 6:9] = -800
    ct[14:16, 10:12, 5:11] = 600
    reconstruction = ct + 7
    reconstruction[2:3] = -990
    reconstruction[14, 10:12, 5:11] = 60  # thinner
    return ct, reconstruction


def test_every_voxel_is_in_one_part(pair):
    ct, reconstruction = pair
    parts = body_parts(ct, reconstruction, AFFINE)
    assert tuple(parts) == PARTS and (sum(part.astype(int) for part in parts.values()) == 1).all()
    # two voxels below the skin of the smaller body, and all beyond
    assert parts["surface"][:5].all() and not parts["surface"][5:20, 4:16, 3:13].any()
    assert parts["bone"].sum() == 2 * 2 * 6  # where either has it
    assert parts["gas"].sum() == 27 and not parts["fat"][parts["surface"]].any()
    assert (ct[parts["fat"]] == -100).all() and parts["fat"].any()


def test_the_part_named_comes_from_the_other_and_nothing_else(pair):
    ct, reconstruction = pair
    parts, pictures = body_parts(*pair, AFFINE), dict(exchanged(*pair, AFFINE))
    assert list(pictures) == list(picture_names()) and len(pictures) == 2 + 2 * len(PARTS)
    assert np.array_equal(pictures["CT"], ct) and np.array_equal(pictures["reconstruction"], reconstruction)
    for name, part in parts.items():
        for into, other in (("CT", "reconstruction"), ("reconstruction", "CT")):
            mixed = pictures[f"{into}, {name} of the {other}"]
            assert np.array_equal(mixed[part], pictures[other][part])
            assert np.array_equal(mixed[~part], pictures[into][~part])
            assert picture_names()[f"{into}, {name} of the {other}"] == into


def test_an_empty_picture_is_refused(pair):
    with pytest.raises(InputError, match="holds no body"):
        body_parts(pair[0], np.full_like(pair[0], -1000), AFFINE)
