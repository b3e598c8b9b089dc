"""Shaping and posing the template."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from vctlib.sources.phantom import pose
from vctlib.sources.phantom.body import mesh_volume, rest_body
from vctlib.sources.phantom.geometry import rotation, unit
from vctlib.sources.phantom.kinematics import blend_matrix, forward_kinematics, move_joints, skin
from vctlib.sources.phantom.pose import CHEST, TRUNK, pose_body
from vctlib.sources.phantom.supine import DEEPEST_MM, lay_on_table
from vctlib.sources.phantom.template import load_template

# Sex, age, height (mm), lean and total volume (mm3)
FROM_LEAN_TO_HEAVY = (
    ("female", 30, 1650, 36e6, 46e6),
    ("male", 30, 1780, 57e6, 66e6),
    ("male", 40, 1760, 62e6, 78e6),
    ("female", 50, 1620, 48e6, 80e6),
    ("male", 60, 1740, 76e6, 112e6),
    ("female", 80, 1550, 55e6, 112e6),
)


@pytest.fixture(scope="module")
def template():
    return load_template()


@pytest.fixture(scope="module")
def rest(template):
    return rest_body(template, "male", 40, 1760, 62e6, 78e6)


def test_rest_body_has_the_height_and_volumes_asked_for(template, rest):
    assert np.ptp(rest.outer_vertices[:, 2]) == pytest.approx(1760, abs=0.5)
    assert mesh_volume(rest.outer_vertices, template.faces) == pytest.approx(78e6, rel=1e-3)
    assert mesh_volume(rest.lean_vertices, template.faces) == pytest.approx(62e6, rel=1e-3)


def test_unreachable_volume_ends_at_the_templates_range(template):
    small = rest_body(template, "female", 40, 1900, 1e6, 2e6)
    smaller = rest_body(template, "female", 40, 1900, 0.5e6, 1e6)
    np.testing.assert_array_equal(small.outer_vertices, smaller.outer_vertices)


def test_forward_kinematics_of_a_two_link_arm():
    joints = np.array([[0.0, 0, 0], [10, 0, 0], [20, 0, 0]])
    quarter = rotation([0, 0, 1], np.pi / 2)
    motion = forward_kinematics(joints, np.array([-1, 0, 1]), {0: quarter, 1: quarter})
    np.testing.assert_allclose(move_joints(joints, *motion), [[0, 0, 0], [0, 10, 0], [-10, 10, 0]], atol=1e-12)


def test_skinning_moves_each_vertex_with_its_joints():
    joints = np.array([[0.0, 0, 0], [10, 0, 0]])
    motion = forward_kinematics(joints, np.array([-1, 0]), {1: rotation([0, 0, 1], np.pi / 2)})
    vertices = np.array([[5.0, 0, 0], [15, 0, 0], [15, 0, 0]])
    weights, numbers = np.array([[1.0, 0], [1, 0], [0.5, 0.5]]), np.array([[0, 1], [1, 0], [0, 1]])
    moved = skin(vertices, blend_matrix(weights, numbers, 2), *motion)
    np.testing.assert_allclose(moved, [[5, 0, 0], [10, 5, 0], [12.5, 2.5, 0]], atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_bones_keep_their_lengths_and_hands_lie_before_the_trunk(template, rest, seed):
    body = pose_body(template, rest, np.random.default_rng(seed))

    def length(positions, a, b):
        return np.linalg.norm(positions[template.joint_index[a]] - positions[template.joint_index[b]])

    trunk = body.outer[template.in_region(*TRUNK)]
    for side, sign in (("L", 1), ("R", -1)):
        for a, b in (("upperarm01", "lowerarm01"), ("lowerarm01", "wrist"), ("lowerleg01", "foot")):
            names = f"{a}.{side}", f"{b}.{side}"
            assert length(body.joints, *names) == pytest.approx(length(rest.outer_joints, *names), rel=1e-6)
        wrist, elbow = body.joint(f"wrist.{side}"), body.joint(f"lowerarm01.{side}")
        beside = trunk[(np.abs(trunk[:, 2] - wrist[2]) < 40) & (np.abs(trunk[:, 0] - wrist[0]) < 40)]
        assert wrist[1] < beside[:, 1].min()  # y points backwards
        assert sign * elbow[0] > sign * wrist[0]  # the forearm runs inwards
        foot, toe = body.joint(f"foot.{side}"), body.joint(f"toe3-1.{side}")
        assert unit(toe - foot)[2] < -0.5  # pointed


@pytest.fixture(scope="module")
def bodies(template):
    """Thin, average and heavy people, posed."""
    people = ("female", 30, 1650, 36e6, 46e6), ("male", 40, 1760, 62e6, 78e6), ("female", 80, 1550, 55e6, 112e6)
    return [pose_body(template, rest_body(template, *who), np.random.default_rng(1)) for who in people]


def test_bodies_lie_on_a_plane(template, bodies):
    for body in bodies:
        table = body.outer[:, 1].max()
        parts = (CHEST, ("pelvis", "spine05", "upperleg"))
        chest, seat = (body.outer[template.in_region(*names), 1] for names in parts)
        for part in (chest, seat):
            assert (part > table - 3).sum() >= 5  # not one point but a patch
        for side in "LR":
            assert body.outer[template.in_region(f"foot.{side}"), 1].max() > table - 15


def test_elbows_lie_beside_the_trunk(template, bodies):
    for body in bodies:
        trunk = body.outer[template.in_region(*TRUNK)]
        for side in "LR":
            elbow = body.joint(f"lowerarm01.{side}")
            beside = trunk[np.abs(trunk[:, 2] - elbow[2]) < 30]
            assert elbow[1] > beside[:, 1].min()  # not in the air before the trunk
            assert abs(elbow[0]) < np.abs(beside[:, 0]).max() + 140


def _surface(template, body, wanted):
    """Points (n, 3) on the triangles between some vertices, and their normals."""
    a, b, c = (body.outer[template.faces[wanted[template.faces].all(1)][:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    spots = [(a * i + b * j + c * (4 - i - j)) / 4 for i in range(5) for j in range(5 - i)]
    return np.concatenate(spots), np.tile(normal, (len(spots), 1))


def _gap(points, surface, normal):
    """mm from points to a surface, negative inside."""
    away, nearest = cKDTree(surface).query(points)
    return np.where(np.einsum("ni,ni->n", points - surface[nearest], normal[nearest]) < 0, -away, away)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("who", FROM_LEAN_TO_HEAVY)
def test_hands_and_forearms_rest_on_the_body(template, who, seed):
    """Each arm touches the trunk or the other arm, and so does its hand; neither is deep inside."""
    body = pose_body(template, rest_body(template, *who), np.random.default_rng(seed))
    side = {s: np.char.endswith(template.vertex_region, f".{s}") for s in "LR"}
    hands = {s: side[s] & template.in_region("wrist", "metacarpal", "finger") for s in "LR"}
    arms = {s: side[s] & template.in_region("lowerarm") | hands[s] for s in "LR"}
    trunk = _surface(template, body, template.in_region(*TRUNK))
    for own, other in ("LR", "RL"):
        elbow, wrist = body.joint(f"lowerarm01.{own}"), body.joint(f"wrist.{own}")
        along = (body.outer - elbow) @ (wrist - elbow) / np.sum((wrist - elbow) ** 2)
        surface = _surface(template, body, arms[other])
        for part in (hands[own], arms[own] & (along > 0.45)):
            on_trunk, on_arm = _gap(body.outer[part], *trunk), _gap(body.outer[part], *surface)
            assert np.quantile(np.minimum(on_trunk, on_arm), 0.05) < 8
            assert np.quantile(on_trunk, 0.05) > -15 and np.quantile(on_arm, 0.05) > -20
        gap = np.minimum(_gap(body.outer[arms[own]], *trunk), _gap(body.outer[arms[own]], *surface))
        assert np.quantile(gap[along[arms[own]] > 0.45], 0.05) < 7


def test_fingers_lie_flat(template, bodies):
    """Finger tips and thumb lie near the plane of the palm, not up to 6 cm in front of it."""
    for body in bodies:
        for side, sign in (("L", 1), ("R", -1)):
            wrist = body.joint(f"wrist.{side}")
            across = body.joint(f"metacarpal1.{side}") - body.joint(f"metacarpal4.{side}")
            palm = unit(sign * np.cross(body.joint(f"finger3-1.{side}") - wrist, across))
            fingers = [body.joint(f"finger{n}-3.{side}") - body.joint(f"finger{n}-1.{side}") for n in range(1, 6)]
            assert max(abs(finger @ palm) for finger in fingers) < 15


def test_pressing_keeps_order_and_leaves_the_front_alone():
    rng = np.random.default_rng(0)
    skin = rng.uniform([-200, -100, 0], [200, 130, 900], (4000, 3))
    table = lay_on_table(skin, 100.0)
    line = np.stack([np.full(200, 10.0), np.linspace(-100, 130, 200), np.full(200, 400.0)], 1)
    pressed = table.press(line)
    assert (np.diff(pressed[:, 1]) >= 0).all() and pressed[:, 1].max() <= 100
    front = line[:, 1] < 100 - DEEPEST_MM
    np.testing.assert_array_equal(pressed[front], line[front])
    np.testing.assert_array_equal(pressed[:, [0, 2]], line[:, [0, 2]])


def test_necks_take_less_of_the_fat_than_bellies(template):
    lean, heavy = (rest_body(template, "male", 50, 1760, 62e6, total) for total in (66e6, 125e6))
    moved = np.linalg.norm(heavy.outer_vertices - lean.outer_vertices, axis=1)
    belly = moved[template.in_region("spine04")].mean()
    assert moved[template.in_region("neck")].mean() < 0.25 * belly
    assert moved[template.in_region("spine01")].mean() < 0.45 * belly


def test_either_arm_can_be_on_top(template, rest):
    heights = [pose_body(template, rest, np.random.default_rng(seed)) for seed in range(8)]
    left_in_front = [body.joint("wrist.L")[1] < body.joint("wrist.R")[1] for body in heights]
    assert any(left_in_front) and not all(left_in_front)


def test_posing_leaves_limbs_their_shape(template, bodies, monkeypatch):
    """Arms, legs and feet are turned, not squeezed: what is done to the neck and the shoulders' slopes ends there."""
    drawn = []

    def drawing(of, vertices, joints):
        after = draw_in(of, vertices, joints)
        drawn.append(np.abs(after - vertices).max(1))
        return after

    draw_in = pose._free_neck
    monkeypatch.setattr(pose, "_free_neck", drawing)
    for who in FROM_LEAN_TO_HEAVY:
        pose_body(template, rest_body(template, *who), np.random.default_rng(0))
    limbs = template.in_region("lowerarm", "wrist", "metacarpal", "finger", "upperleg", "lowerleg", "foot", "toe")
    for moved in drawn:
        assert moved[limbs].max() == 0
        assert moved[template.in_region("upperarm")].max() < 65
        assert moved[template.in_region("neck")].max() > 5  # and there it is drawn in
