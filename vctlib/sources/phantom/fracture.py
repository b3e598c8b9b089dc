"""The shape of a vertebra that is fractured by compression.

The person's height is the height with the fracture: what the vertebra loses, its neighbours and their discs take.
"""

import numpy as np

from vctlib.anatomy import VERTEBRAE
from vctlib.sources.phantom.conditions import Fracture

BODY_SHARE = 0.8  # of the distance between two vertebrae is the body's height, the rest the disc's
# How much of the loss the spine's midline loses: choices. Under a wedge the spine would bend; here it stays straight,
# and the disc fills most of the gap in front.
SPINE_LOSS = {"wedge": 0.25, "biconcave": 0.0, "crush": 1.0}


def room_left(fracture: Fracture | None) -> np.ndarray:
    """Share (24,) of its usual room that every vertebra, C1 to L5, keeps in the spine."""
    room = np.ones(len(VERTEBRAE))
    if fracture is not None:
        room[VERTEBRAE.index(f"vertebrae_{fracture.level}")] = _spine_share(fracture)
    return room


def whole_height(room_mm: float, fracture: Fracture | None) -> float:
    """The room (mm) that a vertebra would have if it were whole, from what it has with its fracture, if any."""
    return room_mm if fracture is None else room_mm / _spine_share(fracture)


def beyond_endplates(
    along: np.ndarray, backwards: np.ndarray, half_height: float, fracture: Fracture | None
) -> np.ndarray:
    """Distance in mm (negative inside) from the endplates of a vertebral body that is `half_height` mm high when whole.

    `along` (m,) mm downwards from its middle, `backwards` (m,) from -1 at its front to 1 at its back. A wedge loses
    height in front and from the upper endplate, which breaks first; a biconcave body in the middle, a crushed one
    everywhere, from both.
    """
    if fracture is None:
        return np.abs(along) - half_height
    share = {
        "wedge": np.clip(0.5 - backwards, 0, 1),  # all of it in the front quarter, none in the back one
        "biconcave": np.clip((0.75 - np.abs(backwards)) / 0.45, 0, 1),
        "crush": np.ones_like(backwards),
    }[fracture.shape]
    lost = 2 * half_height * fracture.height_loss_percent / 100 * share
    from_above = lost if fracture.shape == "wedge" else lost / 2
    return np.maximum(-along - half_height + from_above, along - half_height + (lost - from_above))


def _spine_share(fracture: Fracture) -> float:
    return 1 - BODY_SHARE * SPINE_LOSS[fracture.shape] * fracture.height_loss_percent / 100
