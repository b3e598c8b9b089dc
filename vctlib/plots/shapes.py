"""What the shapes of bodies are: the template, and what it becomes along each direction in which people differ."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from vctlib.networks.body_shapes import BodyShapes
from vctlib.plots.bodies import page_of_people

_FAR = 2.0  # standard deviations


def page_of_shapes(shapes: BodyShapes, spacing_mm: Sequence[float], count: int = 5) -> Figure:
    """The template of people's mean shape, and deformed by two standard deviations of each of the first shapes.

    spacing_mm: of the frame's voxels in a body of mean size, (3,).
    """
    count = min(count, len(shapes.components))
    captions, volumes = ["mean shape"], [shapes.deformed_template((0.0,) * len(shapes.components))]
    for number in range(count):
        for sign, name in ((-_FAR, "\N{MINUS SIGN}2 SD"), (_FAR, "+2 SD")):
            own = np.zeros(len(shapes.components))
            own[number] = sign
            volumes.append(shapes.deformed_template(tuple(own)))
            captions.append(f"shape {number + 1}\n{name}")
    ratio = shapes.grid[2] / shapes.template.shape[2]
    return page_of_people(volumes, None, captions, spacing_mm=[ratio * mm for mm in spacing_mm])
