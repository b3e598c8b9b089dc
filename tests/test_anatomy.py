import numpy as np
import pytest

from vctlib.anatomy import (
    MEASURE,
    PAPER16,
    TOTAL,
    ids_of,
    ids_where,
    paper_class,
    reduce_labels,
    stem,
    tissue,
)


def test_numbers_are_totalsegmentators():
    # Spot checks against TotalSegmentator 2.18.0, map_to_binary.py, task "total".
    assert {1: "spleen", 5: "liver", 25: "sacrum", 27: "vertebrae_L5", 50: "vertebrae_C1", 51: "heart"}.items() <= (
        dict(TOTAL).items()
    )
    assert {90: "brain", 91: "skull", 92: "rib_left_1", 115: "rib_right_12", 117: "costal_cartilages"}.items() <= (
        dict(TOTAL).items()
    )


def test_names_are_unique_and_fit_a_byte():
    for table in (TOTAL, MEASURE, PAPER16):
        assert len(set(table.values())) == len(table)
        assert min(table) == 1 and max(table) == len(table) <= 255


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("femur_left", "appendicular_bones"),
        ("clavicula_right", "appendicular_bones"),
        ("hip_left", "bone"),
        ("vertebrae_T7", "bone"),
        ("rib_right_4", "bone"),
        ("kidney_right", "kidney"),
        ("kidney_cyst_left", None),
        ("lung_upper_lobe_left", "lung_upper_lobes"),
        ("lung_middle_lobe_right", "lung_middle_lobe"),
        ("autochthon_left", "autochthonous_muscles"),
        ("subcutaneous_fat", None),
    ],
)
def test_paper_class(name, expected):
    assert paper_class(name) == expected


def test_every_class_of_the_paper_has_a_structure_in_both_tables():
    for table in (TOTAL, MEASURE):
        assert {paper_class(name) for name in table.values()} - {None} == set(PAPER16.values())
    assert [paper_class(name) for name in PAPER16.values()] == list(PAPER16.values())


def test_tissues():
    assert {tissue(name) for name in ("subcutaneous_fat", "torso_fat", "intermuscular_fat")} == {"fat"}
    assert {tissue(name) for name in ("gluteus_maximus_left", "iliopsoas_right", "skeletal_muscle")} == {"muscle"}
    assert tissue("trachea") == "gas" and tissue("liver") == "organ" and tissue("patella") == "bone"
    assert stem("kidney_left") == "kidney" and stem("liver") == "liver"


def test_reducing_keeps_volumes():
    labels = np.array(list(TOTAL), np.uint8).reshape(-1, 1, 1)
    reduced = reduce_labels(labels, TOTAL, PAPER16)
    for number, name in PAPER16.items():
        assert (reduced == number).sum() == len(ids_where(TOTAL, paper=name))


def test_reducing_twice_is_reducing_once():
    labels = np.array(list(TOTAL), np.uint8)
    measured = reduce_labels(labels, TOTAL, MEASURE)
    assert (measured > 0).all()  # everything inside the body stays inside
    assert np.array_equal(reduce_labels(measured, MEASURE, PAPER16), reduce_labels(labels, TOTAL, PAPER16))


def test_unknown_numbers_and_names_are_errors():
    with pytest.raises(ValueError, match=r"\[250\]"):
        reduce_labels(np.array([0, 1, 250], np.uint8), TOTAL, PAPER16)
    with pytest.raises(KeyError, match="wing"):
        ids_of(TOTAL, "liver", "wing")
