"""Scanner models: tube voltage, kernel, slices, dose and detector, so that not all people are scanned alike.

Every number is a choice within what clinical scanners do; no vendor's product is copied.
"""

from dataclasses import dataclass

import numpy as np

from vctlib.errors import InputError
from vctlib.sources.phantom.kernel import SHARP, SMOOTH, STANDARD, Kernel
from vctlib.sources.phantom.spectrum import SPECTRUM_100KV, SPECTRUM_120KV, SPECTRUM_140KV, Spectrum


@dataclass(frozen=True)
class ScannerModel:
    """`exposure`: photons relative to the protocol's. Slices: full width at half maximum and distance in mm.

    `detector_blur_mm`: full width at half maximum of focal spot and detector together, in the middle of the field.
    """

    name: str
    spectrum: Spectrum
    kernel: Kernel
    slice_mm: float
    interval_mm: float
    exposure: float
    detector_blur_mm: float


MODELS = {
    model.name: model
    for model in (
        ScannerModel("standard_120kv", SPECTRUM_120KV, STANDARD, 3.0, 3.0, exposure=1.0, detector_blur_mm=1.0),
        ScannerModel("smooth_100kv", SPECTRUM_100KV, SMOOTH, 5.0, 5.0, exposure=0.7, detector_blur_mm=1.2),
        ScannerModel("sharp_140kv", SPECTRUM_140KV, SHARP, 1.0, 1.0, exposure=1.4, detector_blur_mm=0.7),
    )
}


def model_named(name: str) -> ScannerModel:
    """The scanner model of this name. Raises InputError with the names that there are."""
    if name not in MODELS:
        raise InputError(f"no scanner model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]


def draw_model(names: tuple[str, ...], seed: int) -> ScannerModel:
    """One of the named models, all equally likely; the same seed draws the same."""
    models = [model_named(name) for name in names]
    if not models:
        raise InputError("a protocol needs at least one scanner model")
    return models[np.random.default_rng([seed, 1]).integers(len(models))]
