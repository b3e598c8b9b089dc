"""Volume and place of the paper's 16 classes."""

import numpy as np

from vctlib.anatomy import PAPER16, paper_class
from vctlib.measure.axes import PatientAxes
from vctlib.measure.scan import Scan


def organ_measures(scan: Scan, axes: PatientAxes) -> dict[str, tuple[float, np.ndarray]]:
    """For each class of Table 1: volume in ml and centroid (right, anterior, superior) in mm from the body's centre.

    A class that is absent has volume 0 and a centroid of NaN.
    """
    class_of = np.zeros(256, np.intp)
    class_numbers = {name: number for number, name in PAPER16.items()}
    for number, name in scan.table.items():
        class_of[number] = class_numbers.get(paper_class(name), 0)
    indices = np.nonzero(scan.labels)
    classes = class_of[scan.labels[indices]]
    size = len(PAPER16) + 1
    counts = np.bincount(classes, minlength=size)
    sums = np.stack([np.bincount(classes, weights=index, minlength=size) for index in indices], axis=1)
    with np.errstate(invalid="ignore"):
        centroids = axes.coordinates(scan.world(sums / counts[:, None]))
    return {name: (float(counts[number]) * scan.voxel_ml, centroids[number]) for number, name in PAPER16.items()}
