"""How like the errors of an arm are to those on real images: as distributions, and pair by pair where pairs are."""

import pandas as pd

from vctlib.trial.arms import REAL
from vctlib.trial.evaluate import ErrorTables
from vctlib.trial.statistics import bland_altman, distribution_distances

COLUMNS = "population arm n n_real ks ks_p wasserstein n_pairs bias limit_low limit_high".split()


def likeness(tables: ErrorTables) -> pd.DataFrame:
    """One row a population and arm beside the real one, from signed errors in the task's unit.

    ks, ks_p: Kolmogorov-Smirnov, which takes images as independent, so that several a patient make its p too small;
    wasserstein: first distance, in the unit. bias, limit_low, limit_high: Bland and Altman's mean difference and limits
    of agreement over patients who have one image in both arms; NaN where an arm has none such. Columns: `COLUMNS`.
    """
    rows = []
    for (population, arm), images in tables.items():
        real = tables.get((population, REAL))
        if arm == REAL or real is None:
            continue
        distances = distribution_distances(images["error"].to_numpy(), real["error"].to_numpy())
        row = {"population": population, "arm": arm, "n": len(images), "n_real": len(real), "n_pairs": 0}
        row |= {"ks": distances.kolmogorov_smirnov, "ks_p": distances.kolmogorov_smirnov_p}
        row["wasserstein"] = distances.wasserstein
        single = images[~images["subject_id"].duplicated(keep=False)].set_index("subject_id")["error"]
        paired = pd.concat([single, real.set_index("subject_id")["error"]], axis=1, join="inner").to_numpy()
        if len(paired) == len(images) > 1:  # every image of the arm is somebody's only one
            agreement = bland_altman(paired[:, 0], paired[:, 1])
            row |= {"n_pairs": len(paired), "bias": agreement.bias}
            row |= {"limit_low": agreement.low, "limit_high": agreement.high}
        rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"n_pairs": int}) if len(table) else table
