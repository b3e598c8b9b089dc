"""Reconstruction kernels: how much of each spatial frequency an image keeps."""

from dataclasses import dataclass
from math import log

import numpy as np

from vctlib.errors import InputError


@dataclass(frozen=True)
class Kernel:
    """A window over the ramp, told by the frequencies (line pairs per cm) at which it keeps 50 % and 10 %.

    With x = frequency / mtf50, the window is (1 + edge x^2) exp(-a x^p); a and p follow from the two frequencies.
    Without `edge` it falls from one, as a Gaussian where mtf10 = 1.82 mtf50; with it, it first rises above one, which
    sharpens edges and makes them overshoot, as kernels for bone do. Frequencies are those of the patient, not of the
    grid: voxels of 4 mm or more show hardly any difference between kernels.

    Source: nickoloff1985 (scanners' point spread is near a Gaussian). Deviation: the form with `edge` is ours.
    """

    mtf50_per_cm: float
    mtf10_per_cm: float
    edge: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.mtf50_per_cm < self.mtf10_per_cm or self.edge < 0:
            raise InputError(
                f"a kernel needs 0 < mtf50 < mtf10 (line pairs per cm) and edge >= 0, "
                f"not {self.mtf50_per_cm:g}, {self.mtf10_per_cm:g} and {self.edge:g}"
            )

    def response(self, per_cm: np.ndarray) -> np.ndarray:
        """What is kept (float32) of frequencies in line pairs per cm: 1 at zero, 0.5 at mtf50, 0.1 at mtf10."""
        ratio = self.mtf10_per_cm / self.mtf50_per_cm
        fall = log(2 * (1 + self.edge))
        power = log(log(10 * (1 + self.edge * ratio**2)) / fall) / log(ratio)
        x = np.asarray(per_cm) / self.mtf50_per_cm
        return ((1 + self.edge * x**2) * np.exp(-fall * x**power)).astype(np.float32)


# Choices, in the range of body kernels for soft tissue and for bone; no vendor's kernel is copied.
SMOOTH = Kernel(2.6, 4.8)
STANDARD = Kernel(3.6, 6.6)
SHARP = Kernel(8.0, 10.5, edge=2.0)
