import re

import numpy as np
import pandas as pd
import pytest

from vctlib.trial.bias import correlation_table, error_drivers
from vctlib.trial.culling import culling_curve
from vctlib.trial.evaluate import attribute_frame, degradation, error_tables, evaluate_arms, table_of_arms
from vctlib.trial.likeness import likeness
from vctlib.trial.protocol import Protocol
from vctlib.trial.report import trial_report
from vctlib.trial.report_sections import markdown_table
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


def test_the_page_ends_with_the_protocol(page, protocol):
    end = page.split("## Protocol")[1]
    for word in (
        protocol.sha256(),
        protocol.boundary,
        f"id_share is {protocol.id_share:g}",
        "Asked for: ",
        "Arms: real",
    ):
        assert word in end
    assert f"Synthetic images a person: {protocol.oversampling}. Equivalent within 1 pp" in end


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
    rebiased = [line for line in page.splitlines() if line.startswith("  - Synthetic (re-biased)")]
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


def test_every_strength_of_culling_and_the_likeness_of_errors_are_told(predictions, protocol, split):
    tables = error_tables(predictions, protocol, split)
    report = trial_report(
        table_of_arms(tables, protocol),
        protocol,
        likeness=likeness(tables),
        culling=culling_curve(tables, split, protocol, [-float("inf"), 0.0]),
    )
    assert "| ID | all | 0% | 120 |" in report and "| OOD | +0 |" in report
    assert report.count("| Reconstructed | 0.") >= 1 and "| 60 |" in report  # pairs
    assert "heaviest tenth of them carry" in report


def test_an_open_verdict_says_how_many_people_would_settle_it():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"subject_id": [f"p{n}" for n in range(20)], "truth": 30.0, "population": "old_men"})
    rows["prediction"] = 30 + rng.normal(0, 1, 20).round(3) * 2.6
    protocol = Protocol(task="body_fat", arms=["synthetic"], populations={"old_men": {}}, n_resamples=500)
    table = evaluate_arms(rows.assign(arm="synthetic"), protocol)
    mae, low, high = table.loc[0, ["mae", "mae_low", "mae_high"]]
    wanted = 20 * ((high - low) / 2 / abs(mae - 2)) ** 2
    report = trial_report(table, protocol)
    assert table.at[0, "verdict"] == "not enough evidence"
    (told,) = re.findall(r"some (\d)0* people would settle it", report)
    assert wanted <= int(re.findall(r"some (\d+) people", report)[0]) < 2 * wanted + 1 and 1 <= int(told) <= 9
    assert "population *old men*" in report and "No real images stand beside" in report and "| Z |" not in report
