"""How heads lie: turned by the recorded angle on a neck that follows, nothing torn, the rest of the body unmoved."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from vctlib.anatomy import VERTEBRAE
from vctlib.sources.phantom.body import rest_body
from vctlib.sources.phantom.canvas import LABEL
from vctlib.sources.phantom.head_pose import LARGEST_DEG, SPREAD_DEG, HeadPose, NeckBend
from vctlib.sources.phantom.landmarks import C1, T1, find_landmarks
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.phantom import make_phantom
from vctlib.sources.phantom.pose import pose_body
from vctlib.sources.phantom.scene import build_scene
from vctlib.sources.phantom.template import load_template

MAN, HEAVY = Person("male", 50, 176, 78, 25, 40), Person("male", 55, 175, 135, 42, 33)
LITRES = {MAN: (60, 76), HEAVY: (75, 138)}
FAR = HeadPose(flexion_deg=-8, tilt_deg=4, turn_deg=20)


@pytest.fixture(scope="module", params=[MAN, HEAVY], ids=["average", "heavy"])
def landmarks(request):
    template, person = load_template(), request.param
    litres = (value * 1e6 for value in LITRES[person])
    rest = rest_body(template, person.sex, person.age_years, 10 * person.height_cm, *litres)
    return find_landmarks(pose_body(template, rest, np.random.default_rng(1)), person, 1)


def bend_of(landmarks, pose: HeadPose) -> NeckBend:
    return NeckBend(landmarks, pose, float(landmarks.body.outer[:, 1].max()))


@pytest.fixture(scope="module")
def scenes():
    """The same man with his head straight and turned."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for pose in (HeadPose(), FAR):
            patch.setattr(HeadPose, "draw", classmethod(lambda cls, seed, pose=pose: pose))
            found.append(build_scene(MAN, 4.0, 1, *LITRES[MAN]))
    return found


def voxels_of(canvas, name: str) -> np.ndarray:
    """Where a structure lies, (n, 3) mm of the body frame."""
    return canvas.index[canvas.label_map() == LABEL[name]] * canvas.spacing + canvas.grid.origin


def middle(canvas, name: str) -> np.ndarray:
    return voxels_of(canvas, name).mean(0)


def test_eyes_and_nose_turn_by_the_angles_that_are_recorded(scenes):
    eyes, noses, crowns = [], [], []
    for scene in scenes:
        at = voxels_of(scene.canvas, "eye")
        left = scene.canvas.positions[scene.canvas.label_map() == LABEL["eye"], 0] > 0
        eyes.append(at[left].mean(0) - at[~left].mean(0))
        noses.append(middle(scene.canvas, "nasal_cavity") - middle(scene.canvas, "brain"))
        crowns.append(middle(scene.canvas, "brain") - middle(scene.canvas, "mandible"))
    assert abs(np.degrees(np.arctan2(*eyes[0][1::-1]))) < 2
    vector = np.deg2rad([FAR.flexion_deg, FAR.tilt_deg, FAR.turn_deg])
    angle = np.linalg.norm(vector)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    for straight, turned in (eyes, noses, crowns):
        cosine = turn @ straight @ turned / np.linalg.norm(straight) / np.linalg.norm(turned)
        assert np.degrees(np.arccos(cosine)) < 1.5
    assert noses[1][0] - noses[0][0] > 0.25 * np.linalg.norm(noses[0][:2])  # the face looks to the left: sin 20 deg


def test_the_turn_is_in_the_truth():
    truth, pose = make_phantom(MAN, 16.0, 7).truth, HeadPose.draw(7)
    assert truth["head_turn_deg_true"] == pose.turn_deg and abs(pose.turn_deg) > 10
    assert truth["head_flexion_deg_true"] == pose.flexion_deg and truth["head_tilt_deg_true"] == pose.tilt_deg
    assert truth["height_cm_true"] == MAN.height_cm


def test_skull_and_vertebrae_of_the_neck_stay_together(scenes):
    chain = ["skull", *VERTEBRAE[C1 : T1 + 1]]
    for upper, lower in zip(chain[:-1], chain[1:], strict=True):
        gaps = [cKDTree(voxels_of(s.canvas, upper)).query(voxels_of(s.canvas, lower))[0].min() for s in scenes]
        assert gaps[1] < max(gaps[0], 4.0) + 4.0  # at most a voxel farther than in the straight neck
    for name in ("brain", "skull", "mandible", "eye", *VERTEBRAE[C1:T1]):
        straight, turned = (len(voxels_of(scene.canvas, name)) for scene in scenes)
        assert turned == pytest.approx(straight, rel=0.10)


def test_bones_of_head_and_neck_stay_inside_the_skin(scenes):
    canvas = scenes[1].canvas
    labels = canvas.label_map()
    for name in ("skull", "mandible", "hyoid", *VERTEBRAE[C1 : T1 + 1]):
        assert canvas.depth[labels == LABEL[name]].min() > 0


def test_the_vertebrae_share_the_turn(landmarks):
    bend = bend_of(landmarks, HeadPose(turn_deg=20))
    aside = np.array([30.0, 0, 0])
    turns = []
    for i in range(C1, T1 + 1):
        right, left = bend.carry(landmarks.spine[i] + [-aside, aside])
        turns.append(np.degrees(np.arctan2(*(left - right)[1::-1])))
    assert turns[0] == pytest.approx(20, abs=0.5) and turns[-1] == pytest.approx(0, abs=0.5)
    assert (np.diff(turns) < 0.01).all() and np.abs(np.diff(turns)).max() < 6


@pytest.mark.parametrize("seed", range(8))
def test_the_map_has_an_inverse_and_leaves_the_body_below_alone(landmarks, seed):
    bend, skin = bend_of(landmarks, HeadPose.draw(seed)), landmarks.body.outer
    carried = bend.carry(skin)
    assert np.linalg.norm(bend.straighten(carried) - skin, axis=1).max() < 0.5
    below = skin[:, 2] < landmarks.spine[T1 + 4, 2]
    np.testing.assert_array_equal(carried[below], skin[below])
    moved = skin[np.linalg.norm(carried - skin, axis=1) > 0.5][::20]
    steps = np.stack([bend.carry(moved + 0.5 * axis) - bend.carry(moved - 0.5 * axis) for axis in np.eye(3)], 2)
    assert np.linalg.det(steps).min() > 0.3  # nothing is folded


def test_a_head_above_the_table_is_let_down_and_none_enters_it(landmarks):
    head, table_y = landmarks.body.template.head_weight > 0.9, landmarks.body.outer[:, 1].max()
    for pose in (HeadPose(), HeadPose(flexion_deg=-12), HeadPose(turn_deg=25)):
        lowest = bend_of(landmarks, pose).carry(landmarks.body.outer)[head, 1].max()
        assert table_y - lowest > 10
        assert lowest > landmarks.body.outer[head, 1].max() + (25 if landmarks.person == HEAVY else -15)


def test_heads_differ_as_much_as_they_should():
    poses = [HeadPose.draw(seed) for seed in range(600)]
    angles = np.array([[pose.flexion_deg, pose.tilt_deg, pose.turn_deg] for pose in poses])
    np.testing.assert_allclose(angles.std(0), SPREAD_DEG, rtol=0.12)
    assert (np.abs(angles) <= LARGEST_DEG).all() and (np.abs(angles.mean(0)) < SPREAD_DEG / 5).all()


def test_heads_are_not_symmetric(landmarks):
    eyes = (landmarks.joint("eye.L") + landmarks.joint("eye.R")) / 2
    left, right = eyes + [70, 80, 30], eyes + [-70, 80, 30]
    chin = eyes + [0, 0, -112 * landmarks.scale]
    bend = bend_of(landmarks, HeadPose(slant=0.02, wider=0.02, jaw_mm=2.0))
    left, right, moved = bend.carry(np.array([left, right, chin]))
    assert left[1] - right[1] == pytest.approx(0.02 * 140, abs=0.2)
    assert (left[0] - eyes[0]) - (eyes[0] - right[0]) == pytest.approx(0.02 * 70, rel=0.1)
    assert moved[0] - chin[0] == pytest.approx(2.0 * landmarks.scale, abs=0.2)
