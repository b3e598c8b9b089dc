"""From a mean absolute error to a verdict: the paper's, by the point, and ours, by the interval.

killeen2025 section 1.5: an error of about 2 percentage points or less is acceptable and an average error above 3 is
significant; Table 1 calls success an MAE below 2 % and failure one above 3 %. It leaves open what lies between.
"""

from vctlib.errors import InputError

PASS = "pass"
FAIL = "fail"
BETWEEN = "between the limits"
NOT_ENOUGH_EVIDENCE = "not enough evidence"

ACCEPTABLE = 2.0  # percentage points; killeen2025 section 1.5
FAILURE = 3.0  # percentage points; killeen2025 section 1.5


def _require_order(acceptable: float, failure: float) -> None:
    if not 0 < acceptable <= failure:
        raise InputError(
            f"the limits are {acceptable} and {failure}; acceptable must be positive and not above failure"
        )


def paper_verdict(mae: float, acceptable: float = ACCEPTABLE, failure: float = FAILURE) -> str:
    """The paper's verdict on a point estimate: PASS below `acceptable`, FAIL above `failure`, else BETWEEN."""
    _require_order(acceptable, failure)
    if mae < acceptable:
        return PASS
    return FAIL if mae > failure else BETWEEN


def interval_verdict(low: float, high: float, acceptable: float = ACCEPTABLE, failure: float = FAILURE) -> str:
    """The verdict that an interval for the MAE allows.

    PASS if the whole interval lies below `acceptable`, FAIL if it lies above `failure`, BETWEEN if it lies within the
    two limits, and NOT_ENOUGH_EVIDENCE if it crosses either: then a larger sample could still go both ways.
    """
    _require_order(acceptable, failure)
    if not low <= high:
        raise InputError(f"an interval from {low} to {high} is not an interval")
    if high < acceptable:
        return PASS
    if low > failure:
        return FAIL
    return BETWEEN if acceptable <= low and high <= failure else NOT_ENOUGH_EVIDENCE
