"""What a generator that can stand in for people has to reach, and what it reached."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from vctlib.text import DASH, interval_text


class Goal(NamedTuple):
    """The range in which a metric of the steps that reconstruct people and that evaluate the generator should lie, and
    where it comes from."""

    metric: str
    label: str
    low: float | None
    high: float | None
    digits: int
    source: str
    strict: bool = False  # the bounds themselves do not count


# Z averages 0.80 where nothing differs, so that the paper's figures ask for luck beside likeness; they are goals all
# the same, for they are what there is to compare with. The other goals were set before the first network was trained.
GOALS = (
    Goal("body_fat_mae", "Reconstructed body fat, MAE (pp)", None, 1.0, 2, "ours"),
    Goal("muscle_mae", "Reconstructed muscle, MAE (pp)", None, 1.0, 2, "ours"),
    Goal("psnr_db", "PSNR of reconstructions (dB)", 31.06, None, 2, "paper"),
    Goal("ssim", "SSIM of reconstructions", 0.947, None, 3, "paper"),
    Goal("age_z_score_synthetic", "Mean |Z| of bone density by age", None, 0.608, 2, "paper"),
    Goal("height_z_score_synthetic", "Mean |Z| of height", None, 0.656, 2, "paper"),
    Goal("weight_z_score_synthetic", "Mean |Z| of mass", None, 0.630, 2, "paper"),
    Goal("sex_correct_synthetic", "Sex as asked for (%)", 98.0, None, 1, "paper"),
    Goal("height_r_synthetic", "Height, r of measured and asked for", 0.9, None, 3, "ours"),
    Goal("mass_r_synthetic", "Mass, r of measured and asked for", 0.9, None, 3, "ours"),
    Goal("body_fat_within_sd_ratio_synthetic", "Body fat, SD within categories over people's", 0.7, 1.3, 2, "ours"),
    Goal("muscle_within_sd_ratio_synthetic", "Muscle, SD within categories over people's", 0.7, 1.3, 2, "ours"),
    Goal("synthetic_dice", "Dice of labels and image", 0.727, None, 3, "paper"),
    Goal("organ_volume_r_synthetic", "Volume of organs, r with the person's", 0.911, None, 2, "paper"),
    Goal("organ_centroid_r_synthetic", "Place of organs, r with the person's", 0.956, None, 2, "paper"),
    Goal("impossible_any_synthetic", "Bodies with impossible anatomy (%)", None, 5.0, 1, "ours", strict=True),
    Goal("frechet_over_floor_full_body_average_synthetic", "Fréchet distance over its floor", None, 3.0, 1, "ours"),
    Goal("nearest_distance_ratio", "Nearest training body, over held-out people's", 0.9, 1.1, 2, "ours"),
)


def goals_table(metrics: Mapping[str, Mapping], goals: tuple[Goal, ...] = GOALS) -> pd.DataFrame:
    """Each of the goals beside the metric [interval], and whether the value itself lies within; all cells are text."""
    rows = []
    for goal in goals:
        found = metrics[goal.metric]
        value, bounds = found["value"], found["ci95"] or (None, None)
        low, high = (DASH if bound is None else f"{bound:g}" for bound in (goal.low, goal.high))
        below, above = ("below", "above") if goal.strict else ("at most", "at least")
        wanted = (
            f"{below} {high}" if goal.low is None else f"{above} {low}" if goal.high is None else f"{low} to {high}"
        )
        row = {"What": goal.label, "Wanted": wanted, "By": goal.source}
        row |= {"Found [95% CI]": interval_text(value, bounds, goal.digits), "n": str(found["n"])}
        rows.append(row | {"Reached": DASH if value is None else "yes" if _within(value, goal) else "no"})
    return pd.DataFrame(rows)


def _within(value: float, goal: Goal) -> bool:
    if goal.strict and value in (goal.low, goal.high):
        return False
    return (goal.low is None or value >= goal.low) and (goal.high is None or value <= goal.high)


def reached(table: pd.DataFrame) -> int:
    """How many goals of `goals_table` are reached."""
    return int((table["Reached"] == "yes").sum())
