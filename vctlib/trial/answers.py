"""What a model answered, before it is judged: who has no answer and why, and answers that cannot be meant so.

A table of answers has one row an image: `arm`, `subject_id` (the person), `image_id`, the protocol's prediction column
(NaN where there is none) and `problem`, a few words on why, else empty.
"""

import numpy as np
import pandas as pd

from vctlib.trial.protocol import AUC, Protocol
from vctlib.trial.verdict import NOT_ENOUGH_EVIDENCE

_FACTOR = 20.0  # between the sizes of answers and truths, beyond which they are not in one unit


def unanswered(answers: pd.DataFrame) -> pd.DataFrame:
    """How many images of each arm have no answer, by problem; columns arm, problem, n, of, first (an image)."""
    rows = []
    for arm, own in answers.groupby("arm", sort=False):
        for problem, those in own[own["problem"] != ""].groupby("problem", sort=False):
            rows.append((arm, problem, len(those), len(own), those["image_id"].iat[0]))
    return pd.DataFrame(rows, columns=["arm", "problem", "n", "of", "first"])


def odd_answers(answers: pd.DataFrame, protocol: Protocol) -> list[str]:
    """Sentences on answers that are all the same, or of another size than the truths; none where all is well."""
    rows = answers[answers["problem"] == ""]
    found = rows[protocol.prediction_column].to_numpy(float)
    truth = rows[protocol.truth_column].to_numpy(float)
    if found.size < 2:
        return []
    remarks = []
    if np.ptp(found) <= 1e-6 * max(np.abs(found).max(), 1e-12):
        remarks.append(f"The model gives the same answer, {found[0]:g}, to all {found.size} images.")
    if protocol.endpoint == AUC:
        return remarks  # scores need no unit
    ours, theirs = np.median(np.abs(found)), np.median(np.abs(truth))
    if theirs > 0 and ours * _FACTOR < theirs:
        remarks.append(
            f"Answers are {theirs / max(ours, 1e-12):.0f} times smaller than the truths (median {ours:.3g} against "
            f"{theirs:.3g} {protocol.symbol}): is the model's unit another one, such as a fraction in place of percent?"
        )
    elif ours > _FACTOR * theirs:
        remarks.append(
            f"Answers are much larger than the truths (median {ours:.3g} against {theirs:.3g} {protocol.symbol}): "
            "is the model's unit another one?"
        )
    return remarks


def withhold_verdicts(table: pd.DataFrame, answers: pd.DataFrame, protocol: Protocol) -> tuple[pd.DataFrame, list[str]]:
    """The table of arms without a verdict where too many images have no answer (`withheld`), and a sentence on each.

    `answers` also has the column `population`. A model that answers where it is easy must not pass for that.
    """
    table, remarks = table.assign(withheld=False), []
    for row in table.itertuples():
        own = answers[(answers["population"] == row.population) & (answers["arm"] == row.arm)]
        share = float((own["problem"] != "").mean()) if len(own) else 0.0
        if share > protocol.most_unanswered:
            table.loc[row.Index, ["verdict", "verdict_paper"]] = NOT_ENOUGH_EVIDENCE
            table.loc[row.Index, "withheld"] = True
            remarks.append(
                f"{row.population}, {row.arm}: {share:.0%} of {len(own)} images have no answer, more than the "
                f"{protocol.most_unanswered:.0%} of the protocol; no verdict is given."
            )
    return table, remarks
