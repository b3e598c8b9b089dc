import pytest

from vctlib.trial.bias import correlation_table, error_drivers
from vctlib.trial.evaluate import attribute_frame, degradation, error_tables, table_of_arms
from vctlib.trial.report import markdown_table, trial_report
from vctlib.trial.split import draw_populations


@pytest.fixture(scope="module")
def tables(predictions, protocol, split):
    return error_tables(predictions, protocol, split)


@pytest.fixture(scope="module")
def table(tables, protocol):
    return table_of_arms(tables, protocol)


@pytest.fixture(scope="module")
def page(tables, table, protocol, people, split):
    frames = {arm: attribute_frame(tables, arm) for arm in ("real", "synthetic")}
    features = ("weight_kg", "muscle_percent_measured", "body_volume_l_measured")
    return trial_report(
        table,
        protocol,
        degradation=degradation(tables, protocol),
        populations=draw_populations(people, split, n_train=150, n_id=60, n_ood=60, seed=2),
        correlations=correlation_table(frames["real"], frames["synthetic"]),
        drivers={arm: error_drivers(f, features, n_trees=20, n_repeats=2) for arm, f in frames.items()},
    )


def test_the_verdict_comes_first(page):
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings[0] == "# Virtual trial: body fat percentage"
    assert headings[1] == "## Verdict"


def test_verdicts_and_numbers_are_those_of_the_table(page, table):
    for row in table[table["arm"] == "real"].itertuples():
        assert f"real images say **{row.verdict}**: MAE {row.mae:.2f} pp" in page
    for row in table.itertuples():
        assert f"[{row.mae_low:.2f}, {row.mae_high:.2f}]" in page


def test_a_verdict_unlike_the_real_one_is_pointed_out(page):
    baseline = next(line for line in page.splitlines() if line.startswith("  - Real (Weighted)"))
    assert "pass" in baseline and "unlike real images" in baseline
    rebiased = [line for line in page.splitlines() if line.startswith("  - Synthetic (Re-biased)")]
    assert "fail" in rebiased[1] and "as real images do" in rebiased[1]


def test_equivalence_is_claimed_only_where_its_test_says_so(page, table):
    for row in table.dropna(subset=["p_equivalence"]).itertuples():
        line = next(line for line in page.splitlines() if f"{row.difference:+.2f} pp against real" in line)
        assert ("not shown to be" in line) == (row.p_equivalence >= 0.05)


def test_the_protocol_can_be_checked(page, protocol):
    assert protocol.sha256() in page
    assert "training 150 of" in page


def test_parts_that_are_not_given_are_left_out(table, protocol):
    short = trial_report(table, protocol)
    assert "What drives the error" not in short
    assert "nan" not in short.lower()


def test_tables_are_well_formed(page):
    blocks = [block.splitlines() for block in page.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 4
    for block in blocks:
        assert len({line.count("|") for line in block}) == 1
    assert markdown_table(["a|b"], [["1"]]).splitlines()[0] == "| a\\|b |"
