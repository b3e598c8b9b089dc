"""Goals beside what was found: the value decides, on the right side of its bounds."""

from vctlib.plots.goals import GOALS, Goal, goals_table, reached
from vctlib.text import DASH


def test_a_goal_is_reached_by_the_value_on_the_right_side():
    goals = (
        Goal("z", "Z", None, 0.6, 2, "paper"),
        Goal("r", "r", 0.9, None, 1, "ours"),
        Goal("share", "SD", 0.7, 1.3, 2, "ours"),
        Goal("none", "nothing", None, 5, 1, "ours"),
        Goal("edge", "impossible", None, 5, 1, "ours", strict=True),
        Goal("edge", "impossible", None, 5, 1, "ours"),
    )
    found = {name: {"value": value, "ci95": (0.5, 0.95), "n": 7} for name, value in (("z", 0.61), ("r", 0.9))}
    found |= {"share": {"value": 1.31, "ci95": None, "n": 7}, "none": {"value": None, "ci95": None, "n": 0}}
    found |= {"edge": {"value": 5.0, "ci95": None, "n": 9}}
    table = goals_table(found, goals)
    assert list(table["Wanted"]) == ["at most 0.6", "at least 0.9", "0.7 to 1.3", "at most 5", "below 5", "at most 5"]
    assert list(table["Reached"]) == ["no", "yes", "no", DASH, "no", "yes"] and reached(table) == 2
    assert list(table["Found [95% CI]"]) == ["0.61 [0.50, 0.95]", "0.9 [0.5, 0.9]", "1.31", DASH, "5.0", "5.0"]


def test_goals_are_all_asked_for_once():
    assert len({goal.metric for goal in GOALS}) == len(GOALS)
    assert all(goal.low is not None or goal.high is not None for goal in GOALS)
