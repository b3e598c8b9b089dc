"""Which people are asked for whose like the generator has not been taught?

A combination of age, height and weight counts as extrapolation where it lies outside the convex hull of the training
people of its sex: no mixture of people whom the generator has seen has those attributes.
"""

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from vctlib.attributes import Attributes

_COLUMNS = ["age_years", "height_cm", "weight_kg"]


def outside_hull(points: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Whether each query (k, d) lies outside the convex hull of points (n, d): (k,) bool.

    Asks for weights >= 0 of sum 1 whose mixture of the points is the query; so points may be few, or all on one plane.
    """
    points, query = np.asarray(points, float), np.asarray(query, float)
    if not len(points):
        return np.ones(len(query), bool)
    scale = np.ptp(points, axis=0)
    scale[scale == 0] = 1.0
    system = np.vstack([(points / scale).T, np.ones(len(points))])
    found = [linprog(np.zeros(len(points)), A_eq=system, b_eq=[*(q / scale), 1.0], method="highs") for q in query]
    return np.array([answer.status == 2 for answer in found])  # 2: no such weights


def beyond_training(asked: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """`extrapolation` (bool) and `near` (people) for each row of `asked`; both tables have the columns of subjects.csv.

    near: training people of the same sex who are at most one category away in age, in height and in weight. Training
    people with an unknown attribute are left out.
    """
    training = training.dropna(subset=["sex", *_COLUMNS])
    known = np.array([Attributes.from_row(row).categories() for row in training.to_dict("records")]).reshape(-1, 4)
    rows = {}
    for name, row in asked.iterrows():
        same = (training["sex"] == row["sex"]).to_numpy()
        steps = np.abs(known[same, 1:] - np.array(Attributes.from_row(row).categories()[1:]))
        outside = outside_hull(training.loc[same, _COLUMNS].to_numpy(), row[_COLUMNS].to_numpy(float)[None])[0]
        rows[name] = {"extrapolation": bool(outside), "near": int((steps <= 1).all(axis=1).sum())}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(asked.index.name)
