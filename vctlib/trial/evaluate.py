"""From predictions to the layout of the paper's Table 1: one row for every population and arm."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vctlib.errors import InputError
from vctlib.trial.arms import (
    ARMS,
    REAL,
    REAL_WEIGHTED,
    RECONSTRUCTED,
    SYNTHETIC,
    SYNTHETIC_CALIBRATED,
    SYNTHETIC_REBIASED,
    rebias,
)
from vctlib.trial.bootstrap import bootstrap_difference
from vctlib.trial.calibration import bootstrap_calibrated_difference, bootstrap_calibrated_mae
from vctlib.trial.checks import listed, require_columns, require_numbers
from vctlib.trial.endpoint import difference, estimate, is_enough, point_verdict, value_of, verdict
from vctlib.trial.protocol import MAE, Protocol
from vctlib.trial.split import ID, MINIMUM_PEOPLE, OOD, BiasedSplit
from vctlib.trial.statistics import equivalence, paper_z, smallest_margin
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE
from vctlib.trial.weighting import weighted_estimate

_TABLE = "the table of predictions"
# Of the rows, as in Table 1
_ORDER = (REAL, REAL_WEIGHTED, RECONSTRUCTED, SYNTHETIC, SYNTHETIC_REBIASED, SYNTHETIC_CALIBRATED)
_MADE_OF_OTHERS = (REAL_WEIGHTED, SYNTHETIC_CALIBRATED)  # arms without images of their own
ErrorTables = Mapping[tuple[str, str], pd.DataFrame]  # (population, arm) -> rows, with the column `error`

COLUMNS = (
    "task population attribute_distribution arm n n_patients n_missing mae mae_low mae_high z z_low z_high p "
    "difference difference_low difference_high p_equivalence equivalent_from effective_sample_size accuracy "
    "heaviest_tenth verdict_paper verdict"
).split()


def _check(predictions: pd.DataFrame, protocol: Protocol) -> None:
    require_columns(
        predictions, ["population", "arm", "subject_id", protocol.truth_column, protocol.prediction_column], _TABLE
    )
    for column, known in (("population", protocol.population_names), ("arm", ARMS)):
        unknown = sorted({str(value) for value in predictions[column]} - set(known))
        if unknown:
            raise InputError(f"column {column} of {_TABLE} holds {listed(unknown)}; it may hold {', '.join(known)}")
    nameless = int(predictions["subject_id"].isna().sum())
    if nameless:
        raise InputError(f"{nameless} rows of {_TABLE} have no subject_id; every image needs its patient")
    single = predictions[predictions["arm"].isin([REAL, RECONSTRUCTED])]
    twice = single[single.duplicated(["population", "arm", "subject_id"])]
    if len(twice):
        raise InputError(
            f"{_TABLE} has more than one real or reconstructed row for {listed(dict.fromkeys(twice['subject_id']))}; "
            "only synthetic images can be several a patient"
        )


def error_tables(
    predictions: pd.DataFrame, protocol: Protocol, split: BiasedSplit | None = None, *, may_lack: bool = False
) -> ErrorTables:
    """The rows of every arm of the protocol, with `error` = prediction - truth in the task's unit.

    predictions: one row an image with `population` (one of the protocol's), `arm`, `subject_id` (the patient, also
    for synthetic images) and the protocol's truth and prediction columns. Where the protocol has the re-biased arm and
    the table has not, `split` culls it from the synthetic rows. Raises InputError for a missing column, an
    unknown name, doubled real rows, and, naming the subjects, for truths or predictions that are not numbers; and for
    a population or arm without rows, which is left out where the table `may_lack` it or culling left nobody.
    """
    _check(predictions, protocol)
    tables = {}
    for population in protocol.population_names:
        rows = predictions[predictions["population"] == population]
        if rows.empty and not may_lack:
            raise InputError(f"{_TABLE} has no row of the {population} population")
        for arm in _ORDER:
            if arm not in protocol.arms or arm in _MADE_OF_OTHERS:
                continue
            chosen = rows[rows["arm"] == arm]
            culled = chosen.empty and arm == SYNTHETIC_REBIASED and split is not None
            if culled:
                chosen, _ = rebias(rows[rows["arm"] == SYNTHETIC], split)
            if chosen.empty and (may_lack or culled):
                continue
            if chosen.empty:
                raise InputError(f"the protocol asks for the arm {arm}; {_TABLE} has none of it for {population}")
            truth, prediction = (
                require_numbers(chosen, column, f"{_TABLE} (arm {arm}, {population})")
                for column in (protocol.truth_column, protocol.prediction_column)
            )
            chosen = chosen.assign(subject_id=chosen["subject_id"].astype(str), error=prediction - truth)
            # Sorted, so that forests and resamples do not hang on the order in which the rows came.
            tables[population, arm] = chosen.sort_values(["subject_id", "error"], ignore_index=True)
    return tables


def _verdicts(row: dict, protocol: Protocol) -> dict:
    return row | {
        "verdict_paper": point_verdict(row["mae"], protocol),
        "verdict": verdict(row["mae_low"], row["mae_high"], protocol),
    }


def _missing(tables: ErrorTables, population: str, arm: str, protocol: Protocol) -> int:
    """Images that the protocol asks for and the table has not: failed generations, or culled bodies."""
    if arm == SYNTHETIC_REBIASED and (population, SYNTHETIC) in tables:
        return len(tables[population, SYNTHETIC]) - len(tables[population, arm])
    if (population, REAL) not in tables:
        return 0  # nothing says how many there should be
    draws = protocol.oversampling if arm in (SYNTHETIC, SYNTHETIC_REBIASED) else 1
    return draws * len(tables[population, REAL]) - len(tables[population, arm])


def _row(tables: ErrorTables, population: str, arm: str, protocol: Protocol) -> dict:
    rows, real = tables[population, arm], tables.get((population, REAL))
    if not is_enough(rows, protocol):
        return _row_of_few(rows, population, arm, protocol)
    mae = estimate(rows, protocol)
    row = {
        "task": protocol.task, "population": population, "attribute_distribution": population, "arm": arm,
        "n": mae.n, "n_patients": mae.n_clusters, "n_missing": _missing(tables, population, arm, protocol),
        "mae": mae.value, "mae_low": mae.low, "mae_high": mae.high,
    }  # fmt: skip
    if arm != REAL and real is not None and is_enough(real, protocol):
        gap = difference(rows, real, protocol)
        row |= {
            "difference": gap.value, "difference_low": gap.low, "difference_high": gap.high,
            "p_equivalence": equivalence(gap, protocol.margins.equivalence).p,
            "equivalent_from": smallest_margin(gap),
        }  # fmt: skip
        if protocol.endpoint == MAE and max(np.ptp(each["error"].abs()) for each in (rows, real)) > 0:
            score = paper_z(rows["error"], real["error"], protocol.n_resamples, protocol.seed, protocol.level)
            row |= {"z": score.z, "z_low": score.low, "z_high": score.high, "p": score.p}
    return _verdicts(row, protocol)


def _row_of_few(rows: pd.DataFrame, population: str, arm: str, protocol: Protocol) -> dict:
    """Counts and mean of people too few for an interval."""
    return {
        "task": protocol.task, "population": population, "attribute_distribution": population, "arm": arm,
        "n": len(rows), "n_patients": rows["subject_id"].nunique(), "n_missing": 0, "mae": value_of(rows, protocol),
        "verdict_paper": NOT_ENOUGH_EVIDENCE, "verdict": NOT_ENOUGH_EVIDENCE,
    }  # fmt: skip


def _weighted_row(tables: ErrorTables, protocol: Protocol) -> dict:
    """The baseline stands under OOD, which it forecasts, though its images and attributes are ID."""
    real = tables[ID, REAL]
    forecast = weighted_estimate(
        real, tables[OOD, REAL], real["error"], protocol.id_share, clusters=real["subject_id"],
        **protocol.bootstrap(),
    )  # fmt: skip
    mae = forecast.mae
    row = {
        "task": protocol.task, "population": OOD, "attribute_distribution": ID, "arm": REAL_WEIGHTED,
        "n": mae.n, "n_patients": mae.n_clusters, "n_missing": 0,
        "mae": mae.value, "mae_low": mae.low, "mae_high": mae.high,
        "effective_sample_size": forecast.effective_sample_size, "accuracy": forecast.accuracy,
        "heaviest_tenth": forecast.heaviest_tenth,
    }  # fmt: skip
    return _verdicts(row, protocol)


def _calibrated_row(tables: ErrorTables, population: str, protocol: Protocol) -> dict:
    """Synthetic errors less what the picture adds, as the people of another population tell it."""
    rows, real = tables[population, SYNTHETIC], tables.get((population, REAL))
    pairs = [
        tables[protocol.calibrated_by, arm].set_index("subject_id")["error"]
        for arm in (REAL, RECONSTRUCTED)
        if (protocol.calibrated_by, arm) in tables
    ]
    told = pd.concat(pairs, axis=1, join="inner").drop(index=set(rows["subject_id"]), errors="ignore") if pairs else []
    if len(pairs) < 2 or len(told) < MINIMUM_PEOPLE or not is_enough(rows, protocol):
        return _row_of_few(rows, population, SYNTHETIC_CALIBRATED, protocol) | {"mae": np.nan}
    given = (rows["error"], rows["subject_id"], *told.to_numpy().T)
    settings = {"n_resamples": protocol.n_resamples, "seed": protocol.seed, "level": protocol.level}
    mae = bootstrap_calibrated_mae(*given, **settings)
    row = {
        "task": protocol.task, "population": population, "attribute_distribution": population,
        "arm": SYNTHETIC_CALIBRATED, "n": mae.n, "n_patients": mae.n_clusters,
        "n_missing": _missing(tables, population, SYNTHETIC, protocol),
        "mae": mae.value, "mae_low": mae.low, "mae_high": mae.high,
    }  # fmt: skip
    if real is not None and set(real["subject_id"]) == set(rows["subject_id"]):
        gap = bootstrap_calibrated_difference(*given, real["error"], real["subject_id"], **settings)
        row |= {
            "difference": gap.value, "difference_low": gap.low, "difference_high": gap.high,
            "p_equivalence": equivalence(gap, protocol.margins.equivalence).p,
            "equivalent_from": smallest_margin(gap),
        }  # fmt: skip
    return _verdicts(row, protocol)


def evaluate_arms(predictions: pd.DataFrame, protocol: Protocol, split: BiasedSplit | None = None) -> pd.DataFrame:
    """The trial's main table, laid out as the paper's Table 1, with verdicts and equivalence beside it.

    Columns `mae` hold the protocol's endpoint, which is an AUC where it says so; then there are no Z and p.

    Columns: `COLUMNS`; errors, intervals and differences in the task's unit, counts of images and patients. Fewer than
    `MINIMUM_PEOPLE` people have no interval, and not enough evidence for a verdict.
    mae_*, difference_*: patient-clustered bootstrap; z*, p: the paper's (see `paper_z`); p_equivalence: two one-sided
    tests within the protocol's margin, equivalent_from: the least margin that they pass at 5 %. Arms, inputs and errors
    as in `error_tables`; the weighted arm also needs the attribute columns on the real rows, the calibrated arm has no
    row of the population that calibrates it (see `calibration`). The order of rows does not
    matter. Source: killeen2025 Table 1.
    """
    return table_of_arms(error_tables(predictions, protocol, split), protocol)


def table_of_arms(tables: ErrorTables, protocol: Protocol) -> pd.DataFrame:
    """`evaluate_arms` for errors that are already gathered."""
    rows = []
    for population in protocol.population_names:
        for arm in _ORDER:
            if (population, arm) in tables:
                rows.append(_row(tables, population, arm, protocol))
            elif arm == REAL_WEIGHTED and arm in protocol.arms and population == OOD:
                rows.append(_weighted_row(tables, protocol))
            elif arm == SYNTHETIC_CALIBRATED and arm in protocol.arms and (population, SYNTHETIC) in tables:
                if population != protocol.calibrated_by:
                    rows.append(_calibrated_row(tables, population, protocol))
    return pd.DataFrame(rows, columns=COLUMNS)


def degradation(tables: ErrorTables, protocol: Protocol) -> pd.DataFrame:
    """MAE on OOD less MAE on ID for every arm, with its interval; columns arm, degradation, low, high (points).

    An arm of which culling has left one patient has no interval (NaN).
    """
    rows = []
    for arm in _ORDER:
        if (ID, arm) in tables and (OOD, arm) in tables:
            shifted, usual = tables[OOD, arm], tables[ID, arm]
            if min(shifted["subject_id"].nunique(), usual["subject_id"].nunique()) < 2:
                found = value_of(shifted, protocol) - value_of(usual, protocol)
                rows.append({"arm": arm, "degradation": found, "low": np.nan, "high": np.nan})
                continue
            gap = bootstrap_difference(
                shifted["error"], shifted["subject_id"], usual["error"], usual["subject_id"],
                **protocol.bootstrap(),
            )  # fmt: skip
            rows.append({"arm": arm, "degradation": gap.value, "low": gap.low, "high": gap.high})
    return pd.DataFrame(rows, columns=["arm", "degradation", "low", "high"])


def attribute_frame(tables: ErrorTables, arm: str) -> pd.DataFrame:
    """All populations of one arm in one table, with `absolute_error`: what the bias analysis works on."""
    own = [rows for (_, of_arm), rows in tables.items() if of_arm == arm]
    frame = pd.concat(own, ignore_index=True)
    return frame.assign(absolute_error=np.abs(frame["error"]))
