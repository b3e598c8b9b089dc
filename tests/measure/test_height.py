"""Height of stick figures whose segments are known by construction."""

import numpy as np
import pytest

from vctlib.anatomy import MEASURE, TOTAL, ids_of, reduce_labels
from vctlib.measure import Scan, measure_height
from vctlib.measure.axes import patient_axes
from vctlib.measure.legs import exit_distance, measure_leg


@pytest.fixture
def height_of(figure):
    def measured(blocks, spacing=(8.0, 8.0, 8.0)):
        hu, labels, affine = figure.draw(blocks, spacing)
        return measure_height(Scan.of(hu, labels, TOTAL, affine))

    return measured


@pytest.mark.parametrize("spacing", [(8, 8, 8), (4, 4, 4), (4, 8, 2), (2, 8, 8)])
def test_segments_of_the_straight_figure(figure, height_of, spacing):
    found = height_of(figure.standing(), spacing)
    assert found.total_cm == pytest.approx(figure.height_mm / 10, abs=0.01)
    assert found.neck_mm == pytest.approx(1512 - 1408, abs=1e-6)
    assert found.head_mm == pytest.approx(figure.height_mm - 1512, abs=0.1)
    pelvis_plane = 840 - spacing[2] / 2  # the highest voxel centre of a femur
    assert found.torso_mm == pytest.approx(1408 - pelvis_plane, abs=0.1)
    assert found.leg_mm == pytest.approx(pelvis_plane, abs=0.1)
    assert set(found.legs) == {"right", "left"} and not found.missing


def test_bent_knees_do_not_shorten(figure, height_of):
    bent = {"bend_degrees": 30.0}
    found = height_of(figure.standing(right=bent, left=bent), (4, 4, 4))
    extent = figure.height_mm - (figure.thigh_mm + figure.shin_mm) * (1 - np.cos(np.deg2rad(30.0)))
    assert extent < figure.height_mm - 110  # what head to foot would give
    assert found.total_cm == pytest.approx(figure.height_mm / 10, abs=1.5)
    for measured in found.legs.values():
        assert measured.upper_mm == pytest.approx(figure.thigh_mm, abs=25)
        assert measured.lower_mm == pytest.approx(figure.shin_mm, abs=15)


def test_the_longer_leg_counts(figure, height_of):
    """One knee bent: both legs still measure alike, and the longer of the two makes the height."""
    found = height_of(figure.standing(left={"bend_degrees": 25.0}), (4, 4, 4))
    assert found.leg_mm == max(found.legs["right"].total_mm, found.legs["left"].total_mm)
    assert found.legs["left"].total_mm == pytest.approx(found.legs["right"].total_mm, abs=20)
    assert found.total_cm == pytest.approx(figure.height_mm / 10, abs=2.0)


@pytest.mark.parametrize("where", ["shin", "thigh"])
def test_amputated_leg_leaves_the_other(figure, height_of, where):
    found = height_of(figure.standing(left={"amputated": where}))
    assert set(found.legs) == {"right"}
    assert found.missing == {"left leg": "no tibia"}
    assert found.total_cm == pytest.approx(figure.height_mm / 10, abs=1.0)


def test_no_shin_at_all_is_not_a_number_with_a_reason(figure, height_of):
    off = {"amputated": "shin"}
    found = height_of(figure.standing(left=off, right=off))
    assert np.isnan(found.total_cm) and np.isnan(found.leg_mm)
    assert found.missing == {"left leg": "no tibia", "right leg": "no tibia"}
    assert found.neck_mm == pytest.approx(104)  # what can be measured still is


@pytest.mark.parametrize(
    ("gone", "segments"), [("C1", ["head_mm", "neck_mm"]), ("C2", ["head_mm"]), ("C7", ["torso_mm", "neck_mm"])]
)
def test_missing_vertebra(figure, height_of, gone, segments):
    found = height_of([block for block in figure.standing() if block[0] != f"vertebrae_{gone}"])
    assert found.missing == {f"vertebra {gone}": "not labelled"}
    for name in ("head_mm", "neck_mm", "torso_mm"):
        assert np.isnan(getattr(found, name)) == (name in segments)
    assert np.isnan(found.total_cm)


def test_no_labels_at_all(figure):
    hu, labels, affine = figure.draw(figure.standing())
    found = measure_height(Scan.of(hu, np.zeros_like(labels), TOTAL, affine))
    assert np.isnan(found.total_cm)
    assert set(found.missing) == {"right leg", "left leg", "vertebra C1", "vertebra C2", "vertebra C7"}


def test_stray_voxels_move_nothing(figure):
    """A segmenter's islands of femur in the chest, of tibia in the belly and of C1 in the foot change nothing."""
    hu, labels, affine = figure.draw(figure.standing())
    clean = measure_height(Scan.of(hu, labels, TOTAL, affine))
    number = {name: i for i, name in TOTAL.items()}
    for name, z in (("femur_right", 170), ("femur_left", 180), ("tibia", 130), ("vertebrae_C1", 10), ("tibia", 8)):
        labels[32:34, 38:40, z] = number[name]
    assert measure_height(Scan.of(hu, labels, TOTAL, affine)) == clean


def test_sides_of_the_tibia_follow_the_femurs(figure, height_of):
    """Legs of unequal length: the label `tibia` has no side, yet each shin is counted with its own thigh."""
    long_right = figure.leg("right") + figure.leg("left")[:1] + figure.leg("left")[2:3]
    short = figure.Box((-120, -40, 240), (-40, 40, 440)), figure.Box((-96, -16, 280), (-64, 16, 440))
    found = height_of([*long_right, ("skeletal_muscle", short[0]), ("tibia", short[1]), *figure.trunk()])
    assert found.legs["right"].lower_mm - found.legs["left"].lower_mm == pytest.approx(240, abs=3)
    assert found.legs["right"].upper_mm == pytest.approx(found.legs["left"].upper_mm, abs=6)  # the body leans a little


def test_touching_shins_are_told_apart(figure, height_of):
    """Both shins as one connected part (a bridge of labels between the ankles) give the same legs."""
    found = height_of([*figure.standing(), ("tibia", figure.Box((-96, -16, 80), (96, 16, 96)))])
    assert set(found.legs) == {"right", "left"}
    assert found.total_cm == pytest.approx(figure.height_mm / 10, abs=0.5)


def test_crossed_shins_stay_whole(figure, height_of):
    """The left ankle lies on the right one's far side: each shin still belongs to its own knee and keeps its length."""
    straight = height_of(figure.standing(), (4, 4, 4))
    left = [block for block in figure.leg("left") if block[0].startswith("femur")]
    steps = [(z, -80 + 0.4 * (440 - z)) for z in range(0, 440, 8)]  # 176 mm across on the way down, 96 mm in front
    shin = [
        (name, figure.Box((x - half, 96 - half, z), (x + half, 96 + half, z + 8)))
        for name, half, lowest in (("skeletal_muscle", 40, 0), ("tibia", 16, 40))
        for z, x in steps
        if z >= lowest
    ]
    thigh = ("skeletal_muscle", figure.Box((-120, -40, 440), (-40, 136, 840)))
    crossed = height_of([*figure.leg("right"), *left, thigh, *shin, *figure.trunk()], (4, 4, 4))
    slanted = 438 * np.hypot(1, 0.4)
    assert crossed.legs["left"].lower_mm == pytest.approx(slanted, abs=15)
    assert crossed.legs["right"].lower_mm == pytest.approx(straight.legs["right"].lower_mm, abs=15)


def test_same_height_from_the_segmenters_table(figure):
    hu, labels, affine = figure.draw(figure.standing())
    scan = Scan.of(hu, reduce_labels(labels, TOTAL, MEASURE), MEASURE, affine)
    assert measure_height(scan).total_cm == pytest.approx(figure.height_mm / 10, abs=0.01)


def test_exit_is_found_between_voxels():
    """A skin inside a voxel is found from its partial volume, to a hundredth of a millimetre."""
    hu = np.full((9, 9, 30), -1000, np.int16)
    hu[2:7, 2:7, :20] = 0
    hu[2:7, 2:7, 20] = -700  # from 1 to 0.3 over one voxel: 0.5 is crossed after five sevenths of it
    scan = Scan.of(hu, np.zeros(hu.shape, np.uint8), TOTAL, np.diag([6.0, 6.0, 6.0, 1.0]))
    found = exit_distance(scan, np.array([24.0, 24.0, 60.0]), np.array([0.0, 0.0, 1.0]))
    assert found == pytest.approx(19 * 6 + 6 * 5 / 7 - 60, abs=0.01)
    assert exit_distance(scan, np.array([0.0, 0.0, 60.0]), np.array([0.0, 0.0, 1.0])) is None


def test_axes_follow_a_tilted_patient(figure):
    """The header turns the body by 20 degrees about x and 10 about z: the axes turn with it, the height stays."""
    hu, labels, affine = figure.draw(figure.standing())
    a, b = np.deg2rad(20.0), np.deg2rad(10.0)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turned = np.eye(4)
    turned[:3, :3] = about_z @ about_x
    scan = Scan.of(hu, labels, TOTAL, turned @ affine)
    axes = patient_axes(scan)
    np.testing.assert_allclose(axes.superior, turned[:3, :3] @ [0, 0, 1], atol=1e-3)
    np.testing.assert_allclose(axes.right, turned[:3, :3] @ [1, 0, 0], atol=1e-3)
    np.testing.assert_allclose(axes.anterior, np.cross(axes.superior, axes.right), atol=1e-12)
    assert measure_height(scan, axes).total_cm == pytest.approx(figure.height_mm / 10, abs=0.1)


def test_head_follows_the_line_through_both_vertebrae(figure, height_of):
    """C2 lies 8 mm behind C1 and 24 below: the line leans forward to the crown, less one voxel (4 mm) of steadying."""
    blocks = [block for block in figure.standing() if block[0] != "vertebrae_C2"]
    found = height_of([*blocks, ("vertebrae_C2", figure.Box((-16, -24, 1480), (16, 8, 1496)))], (4, 4, 4))
    assert found.head_mm == pytest.approx((figure.height_mm - 1512) * np.hypot(1, 8 / (24 + 4)), abs=0.5)


def test_shin_above_the_knee_is_left_out(figure, height_of):
    """Labels of the shin that run up in front of the thigh do not move the knee."""
    clean = height_of(figure.standing())
    leaking = height_of([*figure.standing(), ("tibia", figure.Box((64, 16, 400), (96, 32, 600)))])
    assert leaking.legs["right"].upper_mm == pytest.approx(clean.legs["right"].upper_mm, abs=8.1)  # one voxel


def test_thigh_across_the_body_measures_no_height(figure):
    hu, labels, affine = figure.draw(figure.standing())
    scan = Scan.of(hu, labels, TOTAL, affine)
    along = np.linspace(0, 400, 101)
    femur = np.stack([np.full(101, 80.0), along, np.full(101, 500.0)], axis=1)
    tibia = np.stack([np.full(101, 80.0), np.full(101, 400.0), along + 60], axis=1)
    assert measure_leg(scan, patient_axes(scan), femur, tibia, 0.0) == "thigh or shin lies across the body"
    assert (
        measure_leg(scan, patient_axes(scan), femur, tibia + [0, 0, 500], 0.0) == "the whole tibia lies above the knee"
    )


def test_air_in_the_head_does_not_end_it(figure):
    """A sinus of 64 mm on the line to the crown is filled, for its slices close around it."""
    hu, labels, affine = figure.draw(figure.standing())
    clean = measure_height(Scan.of(hu, labels, TOTAL, affine))
    hu[21:27, 37:43, 200:208] = -1000
    labels[21:27, 37:43, 200:208] = 0
    assert measure_height(Scan.of(hu, labels, TOTAL, affine)).head_mm == pytest.approx(clean.head_mm)


def test_hands_above_the_head_are_not_the_crown(figure, height_of):
    arms = [("skeletal_muscle", figure.Box((x, -40, 1300), (x + 40, 40, 1776))) for x in (-152, 112)]
    hands = ("skeletal_muscle", figure.Box((-152, -40, 1760), (152, 40, 1776)))
    found = height_of([*figure.standing(), *arms, hands])
    assert found.head_mm == pytest.approx(figure.height_mm - 1512, abs=0.1)


def test_axes_do_not_depend_on_the_voxels(figure):
    """A leaning body (one leg gone) on two very different grids: the superior axes differ by less than 0.1 degree."""
    axes = []
    for spacing in ((2, 8, 8), (8, 8, 2)):
        hu, labels, affine = figure.draw(figure.standing(left={"amputated": "thigh"}), spacing)
        axes.append(patient_axes(Scan.of(hu, labels, TOTAL, affine)).superior)
    assert np.degrees(np.arccos(axes[0] @ axes[1])) < 0.1
    assert np.degrees(np.arccos(axes[0][2])) > 0.5


def test_femur_of_a_few_voxels_has_no_axis(figure):
    """As a poor segmenter may leave it."""
    hu, labels, affine = figure.draw(figure.standing())
    femur = labels == ids_of(TOTAL, "femur_left")[0]
    lowest = np.argwhere(femur)[np.argmin(np.argwhere(femur)[:, 2])]
    labels[femur] = ids_of(TOTAL, "skeletal_muscle")[0]
    labels[tuple(lowest)] = ids_of(TOTAL, "femur_left")[0]
    found = measure_height(Scan.of(hu, labels, TOTAL, affine))
    assert found.missing == {"left leg": "too little of the femur is labelled"} and set(found.legs) == {"right"}


def test_nobody_has_a_height_without_legs(figure):
    blocks = figure.standing(left={"amputated": "shin"}, right={"amputated": "shin"})
    blocks += [("tibia", figure.Box((x - 16, -16, 320), (x + 16, 16, 440))) for x in (-80, 80)]
    hu, labels, affine = figure.draw(blocks)
    found = measure_height(Scan.of(hu, labels, TOTAL, affine))
    assert np.isnan(found.total_cm)
    assert found.missing == {"left leg": "the shin ends in a stump", "right leg": "the shin ends in a stump"}
