"""Numbers as tables print them."""

import numpy as np

from vctlib.text import DASH, bounds_text, interval_text, number_text, p_text


def test_numbers_intervals_and_what_is_missing():
    assert (number_text(1.005, 1), number_text(2.0, sign="+"), number_text(np.nan)) == ("1.0", "+2.00", DASH)
    assert interval_text(0.91, (0.88, 0.934), 2) == "0.91 [0.88, 0.93]"
    assert interval_text(-0.2, (-0.5, 0.1), 1, "+") == "-0.2 [-0.5, +0.1]"
    assert interval_text(3, (np.nan, np.nan), 0) == "3" and interval_text(None, (1, 2)) == DASH
    assert bounds_text(1, 2) == " [1.00, 2.00]" and bounds_text(np.nan, np.nan) == ""
    assert (p_text(0.0312), p_text(0.0004), p_text(np.nan)) == ("0.031", "< 0.001", DASH)
