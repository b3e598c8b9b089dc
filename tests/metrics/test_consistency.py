import numpy as np
import pandas as pd
import pytest

from vctlib.anatomy import PAPER16, ids_of
from vctlib.errors import InputError
from vctlib.metrics import consistency

AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])  # 20 mm3, 0.02 ml a voxel
LIVER, SPLEEN = ids_of(PAPER16, "liver", "spleen")

# killeen2025, Table 1 of organs: Dice, its SD, volume r, centroid r along R, A and S.
PAPER_TABLE = """
bone 0.815 0.023 0.996 1.000 1.000 1.000|spleen 0.661 0.170 0.887 0.983 0.986 1.000
kidney 0.689 0.239 0.894 0.880 0.953 0.905|liver 0.874 0.089 0.985 0.999 0.998 1.000
lung_upper_lobes 0.626 0.135 0.835 0.784 0.989 1.000|lung_lower_lobes 0.548 0.122 0.831 0.757 0.985 1.000
lung_middle_lobe 0.688 0.117 0.856 0.998 0.992 1.000|urinary_bladder 0.675 0.162 0.853 0.999 0.996 1.000
prostate 0.573 0.373 0.692 0.645 0.708 0.675|heart 0.799 0.103 0.963 0.993 0.998 1.000
aorta 0.563 0.137 0.818 0.998 0.990 0.999|gluteus_muscles 0.609 0.026 0.992 0.712 0.995 1.000
autochthonous_muscles 0.893 0.022 0.997 1.000 1.000 1.000|iliopsoas 0.820 0.057 0.991 0.999 1.000 1.000
brain 0.964 0.009 0.998 1.000 0.999 1.000|appendicular_bones 0.839 0.048 0.993 0.999 0.995 0.975
""".strip().replace("\n", "|")


def _labels(**boxes):
    labels = np.zeros((10, 10, 10), np.uint8)
    for name, box in boxes.items():
        labels[box] = ids_of(PAPER16, name)[0]
    return labels


def test_dice_by_hand():
    first = _labels(liver=np.s_[0:4, 0:4, 0:4])  # 64 voxels
    second = _labels(liver=np.s_[2:4, 0:4, 0:4], spleen=np.s_[8:9, 8:9, 8:9])  # 32 of them
    values = consistency.dice(first, second)
    assert values["liver"] == pytest.approx(2 * 32 / (64 + 32))
    assert values["spleen"] == 0  # found in one map only
    assert np.isnan(values["brain"])  # found in neither


def test_geometry_in_millimetres_from_the_origin_given():
    frame = consistency.geometry(_labels(liver=np.s_[2:4, 0:1, 0:3]), AFFINE, origin_mm=(1, 0, -10))
    assert frame.loc["liver", "volume_ml"] == pytest.approx(6 * 0.02)
    assert frame.loc["liver", ["right", "anterior", "superior"]].tolist() == pytest.approx([5 - 1, 0, 5 + 10])
    assert frame.loc["brain", "volume_ml"] == 0 and np.isnan(frame.loc["brain", "right"])
    assert np.isnan(consistency.geometry(np.zeros((3, 3, 3), np.uint8), AFFINE)["right"]).all()


def test_agreement_over_bodies():
    rows = []
    for size in (2, 3, 5):
        generated = _labels(liver=np.s_[0:size, 0:2, 0:2], spleen=np.s_[9:10, 9:10, 9:10])
        independent = _labels(liver=np.s_[0:size, 0:2, 0:1], spleen=np.s_[9:10, 9:10, 9:10])  # always half the liver
        rows.append(consistency.compare_labels(f"p{size}", generated, independent, AFFINE))
    table = consistency.summarize(pd.concat(rows))
    liver, spleen, brain = table.loc["liver"], table.loc["spleen"], table.loc["brain"]
    assert liver["dice_mean"] == pytest.approx(2 / 3) and liver["dice_sd"] == pytest.approx(0)
    assert liver["volume_r"] == pytest.approx(1) and liver["centroid_right_r"] == pytest.approx(1)
    assert spleen["dice_mean"] == 1 and np.isnan(spleen["volume_r"])  # never varies
    assert brain["n"] == 0 and np.isnan(brain["dice_mean"])
    assert list(table.index) == [*PAPER16.values(), "average"]
    assert table.loc["average", "dice_mean"] == pytest.approx((2 / 3 + 1) / 2)
    assert np.isnan(table.loc["average", "n"])


def test_a_class_missing_from_one_map_counts_for_dice_and_volume_and_not_for_centroids():
    whole = _labels(prostate=np.s_[0:2, 0:2, 0:2])
    pairs = [(whole, whole), (whole, np.zeros_like(whole)), (np.zeros_like(whole), np.zeros_like(whole))]
    rows = [consistency.compare_labels(f"p{i}", *pair, AFFINE) for i, pair in enumerate(pairs)]
    prostate = consistency.summarize(pd.concat(rows)).loc["prostate"]
    assert (prostate["dice_mean"], prostate["n"], prostate["centroid_n"]) == (0.5, 2, 1)


def test_average_row_gives_the_papers_back():
    rows = [line.split() for line in PAPER_TABLE.split("|")]
    columns = ["dice_mean", "dice_sd", "volume_r", "centroid_right_r", "centroid_anterior_r", "centroid_superior_r"]
    table = pd.DataFrame([list(map(float, row[1:])) for row in rows], index=[row[0] for row in rows], columns=columns)
    assert set(table.index) == set(PAPER16.values())
    average = consistency.average_row(table).iloc[0]
    assert average.tolist() == pytest.approx([0.727, 0.115, 0.911, 0.922, 0.974, 0.972], abs=6e-4)


def _dice_rows(values):
    """values: subject -> Dice of liver and of spleen."""
    rows = [(s, name, d) for s, pair in values.items() for name, d in zip(("liver", "spleen"), pair, strict=True)]
    return pd.DataFrame(rows, columns=["subject_id", "structure", "dice"])


def test_dice_intervals_are_over_people_not_over_their_draws():
    rng = np.random.default_rng(0)
    people = rng.normal(0.8, 0.05, 40)
    rows = _dice_rows(
        {f"P{i}-s{draw}": (d, np.nan if i < 10 else d / 2) for i, d in enumerate(people) for draw in range(4)}
    )
    person_of = pd.Series({s: s.split("-")[0] for s in rows["subject_id"]})
    table = consistency.dice_estimates(rows, person_of)
    liver = table.loc["liver"]
    assert liver["n"] == 40 and liver["dice"] == pytest.approx(people.mean())
    half = 1.96 * people.std(ddof=1) / np.sqrt(40)
    assert (liver["dice_high"] - liver["dice_low"]) / 2 == pytest.approx(half, rel=0.15)
    narrow = consistency.dice_estimates(rows).loc["liver"]  # as if 160 people
    assert (narrow["dice_high"] - narrow["dice_low"]) / 2 == pytest.approx(half / 2, rel=0.15)
    assert table.loc["spleen", "n"] == 30
    average = table.loc["average"]
    assert average["dice"] == pytest.approx((people.mean() + people[10:].mean() / 2) / 2)
    assert average["dice_low"] < average["dice"] < average["dice_high"]


def test_bad_labels_are_named():
    with pytest.raises(InputError, match="shapes"):
        consistency.compare_labels("p1", np.zeros((2, 2, 2), int), np.zeros((2, 2, 3), int), AFFINE)
    with pytest.raises(InputError, match=r"p1: label numbers \[99\]"):
        consistency.compare_labels("p1", np.full((2, 2, 2), 99), np.zeros((2, 2, 2), int), AFFINE)
