import pytest

from vctlib.errors import InputError
from vctlib.trial.paper_tables import paper_table
from vctlib.trial.verdict import BETWEEN, FAIL, NOT_ENOUGH_EVIDENCE, PASS, interval_verdict, paper_verdict


@pytest.mark.parametrize(
    ("mae", "verdict"), [(1.99, PASS), (2.0, BETWEEN), (2.5, BETWEEN), (3.0, BETWEEN), (3.01, FAIL)]
)
def test_the_papers_verdict_looks_at_the_mean(mae, verdict):
    assert paper_verdict(mae) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.0, 1.9, PASS),
        (1.0, 2.0, NOT_ENOUGH_EVIDENCE),
        (1.5, 2.5, NOT_ENOUGH_EVIDENCE),
        (1.5, 3.5, NOT_ENOUGH_EVIDENCE),
        (2.0, 3.0, BETWEEN),
        (2.9, 3.1, NOT_ENOUGH_EVIDENCE),
        (3.0, 4.0, NOT_ENOUGH_EVIDENCE),
        (3.1, 4.0, FAIL),
    ],
)
def test_the_interval_must_lie_wholly_on_one_side(low, high, verdict):
    assert interval_verdict(low, high) == verdict


def test_a_point_interval_gives_the_papers_verdict():
    for mae in (0.5, 1.99, 2.0, 2.7, 3.0, 3.3):
        assert interval_verdict(mae, mae) == paper_verdict(mae)


def test_verdicts_on_the_papers_table():
    """By the mean all generated arms agree with real; by the interval one of them has not enough evidence."""
    table = paper_table("1")
    real = table[table["arm"] == "real"].set_index(["task", "population"])
    undecided = []
    for row in table.itertuples():
        truth = real.loc[(row.task, row.population)]
        if row.arm == "real_weighted":
            assert paper_verdict(row.mae) == PASS != paper_verdict(truth.mae)
            continue
        assert paper_verdict(row.mae) == paper_verdict(truth.mae)
        if interval_verdict(row.mae_low, row.mae_high) == NOT_ENOUGH_EVIDENCE:
            undecided.append((row.task, row.population, row.arm))
    assert undecided == [("muscle", "ID", "synthetic")]


def test_limits_out_of_order_are_refused():
    with pytest.raises(InputError, match="limits"):
        paper_verdict(1.0, acceptable=3.0, failure=2.0)
    with pytest.raises(InputError, match="interval"):
        interval_verdict(2.0, 1.0)
