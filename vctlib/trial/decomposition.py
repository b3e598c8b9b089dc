"""Why the synthetic arm errs otherwise than the real one: other bodies, or other pictures of such bodies.

Synthetic people are asked for by sex, age, height and weight, and their composition may differ from that of the people
whom they stand for; and a model may err more, or less, on a generated image of the same composition. Real people who
are composed like the synthetic bodies tell the two apart: what the model does on *them* is due to composition alone.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from vctlib.errors import InputError
from vctlib.trial.arms import REAL, RECONSTRUCTED, SYNTHETIC
from vctlib.trial.bootstrap import percentile_interval
from vctlib.trial.checks import require_columns
from vctlib.trial.evaluate import ErrorTables
from vctlib.trial.protocol import Protocol

COMPOSITION = ("body_volume_l_measured", "body_fat_percent_measured", "muscle_percent_measured")
NEIGHBOURS = 5  # real people whose errors stand for a body of that composition
_MOST_RESAMPLES = 1000
COLUMNS = (
    "population arm n n_real difference composition composition_low composition_high image image_low image_high"
).split()


def decomposition(
    tables: ErrorTables,
    protocol: Protocol,
    columns: Sequence[str] = COMPOSITION,
    arms: Sequence[str] = (RECONSTRUCTED, SYNTHETIC),
) -> pd.DataFrame:
    """The difference of MAE between each arm and the real one, in a part of composition and a part of the image.

    Composition: the mean error of the `NEIGHBOURS` real people of all populations that are nearest in `columns` (each
    over its standard deviation), of the arm's bodies less of the real people themselves; nobody is his or her own
    neighbour, nor that of his or her synthetic bodies. Neighbours that are far blur the edges of the population, so
    that a small part of composition may be counted as image. Image: the rest of the difference. Columns: `COLUMNS`, in
    the task's unit; percentile intervals over patients, who are resampled in all arms at once. Raises InputError for a
    missing column or no more than `NEIGHBOURS` real people.
    """
    pool = pd.concat([rows for (_, arm), rows in tables.items() if arm == REAL], ignore_index=True)
    require_columns(pool, columns, "the real arm")
    pool = pool.dropna(subset=list(columns)).drop_duplicates("subject_id", ignore_index=True)
    if len(pool) <= NEIGHBOURS:
        raise InputError(f"{len(pool)} real people are too few to stand for others; {NEIGHBOURS + 1} are needed")
    scale = pool[list(columns)].std().to_numpy() + 1e-9
    rows = []
    for (population, arm), images in tables.items():
        if arm not in arms or (population, REAL) not in tables:
            continue
        real = tables[population, REAL].dropna(subset=list(columns))
        images = images.dropna(subset=list(columns))
        if real["subject_id"].nunique() < 2 or images["subject_id"].nunique() < 2:
            continue
        parts = _parts(images, real, pool, columns, scale, protocol)
        rows.append({"population": population, "arm": arm, "n": len(images), "n_real": len(real)} | parts)
    return pd.DataFrame(rows, columns=COLUMNS)


def _neighbours(rows: pd.DataFrame, pool: pd.DataFrame, columns: Sequence[str], scale: np.ndarray) -> np.ndarray:
    """Places in the pool of each row's nearest other people, nearest first (rows, people - 1)."""
    places = pool[list(columns)].to_numpy() / scale
    order = NearestNeighbors(n_neighbors=len(pool)).fit(places).kneighbors(
        rows[list(columns)].to_numpy() / scale, return_distance=False
    )  # fmt: skip
    own = pool["subject_id"].astype(str).to_numpy()[order] == rows["subject_id"].astype(str).to_numpy()[:, None]
    last = np.argsort(own, axis=1, kind="stable")  # the person herself goes to the end
    return np.take_along_axis(order, last, axis=1)[:, : len(pool) - 1]


def _expected(order: np.ndarray, errors: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Mean error of each row's nearest `NEIGHBOURS` among the people drawn, who count as often as they are drawn."""
    weights = drawn[order]
    before = np.cumsum(weights, axis=1) - weights
    weights = np.minimum(weights, np.maximum(NEIGHBOURS - before, 0))
    return (weights * errors[order]).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)


def _parts(
    images: pd.DataFrame, real: pd.DataFrame, pool: pd.DataFrame, columns: Sequence[str], scale: np.ndarray,
    protocol: Protocol,
) -> dict:  # fmt: skip
    order, real_order = (_neighbours(rows, pool, columns, scale) for rows in (images, real))
    errors = pool["error"].abs().to_numpy()
    ids = pool["subject_id"].astype(str).to_numpy()
    place = {person: number for number, person in enumerate(ids)}
    of, of_real = (rows["subject_id"].astype(str).map(place).to_numpy(float) for rows in (images, real))
    measured, real_measured = images["error"].abs().to_numpy(), real["error"].abs().to_numpy()

    def values(drawn: np.ndarray) -> tuple[float, float, float]:
        own, own_real = (np.where(np.isfinite(p), drawn[np.nan_to_num(p).astype(int)], 1.0) for p in (of, of_real))
        if own.sum() == 0 or own_real.sum() == 0:
            return (np.nan,) * 3
        gap = np.average(measured, weights=own) - np.average(real_measured, weights=own_real)
        composed = np.average(_expected(order, errors, drawn), weights=own)
        composition = composed - np.average(_expected(real_order, errors, drawn), weights=own_real)
        return gap, composition, gap - composition

    gap, composition, image = values(np.ones(len(pool)))
    rng = np.random.default_rng(protocol.seed)
    chances = np.full(len(pool), 1 / len(pool))
    draws = rng.multinomial(len(pool), chances, size=min(protocol.n_resamples, _MOST_RESAMPLES)).astype(float)
    replicates = np.array([values(drawn) for drawn in draws])
    replicates = replicates[np.isfinite(replicates).all(axis=1)]
    found = {"difference": gap, "composition": composition, "image": image}
    for number, name in ((1, "composition"), (2, "image")):
        low, high = percentile_interval(replicates[:, number], protocol.level)
        found |= {f"{name}_low": low, f"{name}_high": high}
    return found
