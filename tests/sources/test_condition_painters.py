"""What conditions look like: measured on labels and images, against what was asked for."""

import numpy as np
import pytest
import scipy.ndimage as ndi

from vctlib.anatomy import TOTAL, VERTEBRAE, ids_of, ids_where
from vctlib.measure import Scan, measure_height
from vctlib.sources.phantom.body import rest_body
from vctlib.sources.phantom.canvas import Canvas, random_stream
from vctlib.sources.phantom.conditions import AMPUTATIONS, Conditions, Fracture, LiverLesion, LungNodule
from vctlib.sources.phantom.landmarks import find_landmarks
from vctlib.sources.phantom.person import Person
from vctlib.sources.phantom.phantom import make_phantom
from vctlib.sources.phantom.pose import pose_body
from vctlib.sources.phantom.render import cortex_mm
from vctlib.sources.phantom.scanner import ScannerSettings, scan
from vctlib.sources.phantom.spectrum import TITANIUM_HU
from vctlib.sources.phantom.spine import paint_spine
from vctlib.sources.phantom.template import load_template
from vctlib.sources.phantom.trunk_vertebrae import body_radii
from vctlib.sources.phantom.voxelize import Grid

PERSON = Person("male", 70, 174, 80, 27, 37)
ILL = Conditions(
    hip_implant="left",
    liver_lesions=(LiverLesion(36, -50), LiverLesion(16, -25)),
    lung_nodules=(LungNodule(18, "lung_upper_lobe_right"), LungNodule(12, "lung_lower_lobe_left")),
    ascites_ml=1500,
    ascites_hu=7.0,
)


@pytest.fixture(scope="module")
def well():
    return make_phantom(PERSON, 8.0, 4)


@pytest.fixture(scope="module")
def ill():
    return make_phantom(PERSON, 3.0, 4, ILL)


@pytest.fixture(scope="module")
def body():
    """The posed body of the person, from which a spine alone can be painted finely."""
    template = load_template()
    rest = rest_body(template, PERSON.sex, PERSON.age_years, 1740, 55e6, 80e6)
    return pose_body(template, rest, random_stream(0, "pose"))


def where(phantom, *names):
    return np.isin(phantom.labels, ids_of(TOTAL, *names))


def voxel_of(phantom, position):
    return np.rint((np.array(position) - phantom.affine[:3, 3]) / phantom.affine[0, 0]).astype(int)


def findings(phantom, kind):
    return [finding for finding in phantom.findings if finding["kind"] == kind]


def body_heights(body, fracture, level, spacing):
    """Heights in mm of a vertebral body near its front, in its middle and near its back, from the labels of a spine."""
    landmarks = find_landmarks(body, PERSON, 0, fracture)
    row = VERTEBRAE.index(f"vertebrae_{level}")
    corners = [landmarks.spine[row - 2] - [30, 40, 0], landmarks.spine[row + 2] + [30, 70, 0]]
    grid = Grid.around(np.array(corners), spacing)
    canvas = Canvas(np.ones(grid.shape, np.float32), grid, 0, 0.0)
    canvas.depth[:] = 99.0
    paint_spine(canvas, landmarks, fracture)
    canvas.settle_bones(cortex_mm(landmarks))
    points = canvas.positions[canvas.label_map() == ids_of(TOTAL, f"vertebrae_{level}")[0]] - landmarks.spine[row]
    axis = landmarks.spine[row + 1] - landmarks.spine[row - 1]
    axis /= np.linalg.norm(axis)
    depth, _ = body_radii(row, 1.03 * landmarks.scale * landmarks.girth)
    backwards = (points[:, 1] - points @ axis * axis[1]) / depth
    window = (np.abs(points[:, 0]) < 6) & (np.abs(backwards - np.array([[-0.6], [0.0], [0.5]])) < 0.15)
    return window.sum(1) * spacing**3 / (12 * 0.3 * depth)


# Voxels of 2 mm put two to three of them into a window of 5 mm.
@pytest.mark.parametrize(("spacing", "tolerance"), [(1.0, 0.035), (2.0, 0.14)])
@pytest.mark.parametrize("loss", [22, 35, 50])
@pytest.mark.parametrize(("level", "shape"), [("L1", "wedge"), ("L3", "biconcave"), ("T12", "crush"), ("T8", "wedge")])
def test_fractured_vertebra_has_lost_its_height(body, level, shape, loss, spacing, tolerance):
    whole = body_heights(body, None, level, spacing)
    front, middle, back = body_heights(body, Fracture(level, shape, loss), level, spacing) / whole
    left = 1 - loss / 100
    if shape == "wedge":
        assert front / back == pytest.approx(left, abs=tolerance)
        assert back == pytest.approx(1, abs=tolerance)
    elif shape == "biconcave":
        assert middle == pytest.approx(left, abs=tolerance)
        assert min(front, back) > middle + 0.03
    else:
        assert (front + middle) / 2 == pytest.approx(left, abs=tolerance)


def test_a_fracture_leaves_height_mass_and_composition(well):
    broken = make_phantom(PERSON, 8.0, 4, Conditions(fracture=Fracture("T12", "crush", 55)))
    for name in ("height_cm_true", "mass_kg_true", "body_fat_percent_true", "muscle_percent_true"):
        assert broken.truth[name] == pytest.approx(well.truth[name], rel=0.003)
    index = broken.findings[0]["position_mm"]
    assert broken.labels[tuple(voxel_of(broken, index))] == ids_of(TOTAL, "vertebrae_T12")[0]
    assert broken.findings[0]["grade"] == 3
    t12 = ids_of(TOTAL, "vertebrae_T12")[0]
    assert (broken.labels == t12).sum() < 0.85 * (well.labels == t12).sum()


def test_lesions_have_their_sizes_places_and_hounsfield_units(ill):
    liver = np.median(ill.hu[where(ill, "liver")])
    parts, count = ndi.label(where(ill, "liver_lesion"))
    assert count == 2
    for lesion in findings(ill, "liver_lesion"):
        centre = voxel_of(ill, lesion["position_mm"])
        own = parts == parts[tuple(centre)]
        assert parts[tuple(centre)] > 0
        diameter = (own.sum() * 27 * 6 / np.pi) ** (1 / 3)
        assert diameter == pytest.approx(lesion["diameter_mm"], rel=0.05)
        np.testing.assert_allclose(np.argwhere(own).mean(0), centre, atol=0.7)
        core = ndi.binary_erosion(own, iterations=2)
        assert ill.hu[core].mean() - liver == pytest.approx(lesion["contrast_hu"], abs=2)


def test_lesions_count_as_liver(ill):
    both = (where(ill, "liver").sum() + where(ill, "liver_lesion").sum()) * 0.027
    assert ill.truth["liver_volume_ml_true"] == pytest.approx(both)


def test_nodules_are_solid_and_in_their_lobes(ill):
    parts, count = ndi.label(where(ill, "lung_nodule"))
    assert count == 2
    for nodule in findings(ill, "lung_nodule"):
        number = parts[tuple(voxel_of(ill, nodule["position_mm"]))]
        own = parts == number
        assert (own.sum() * 27 * 6 / np.pi) ** (1 / 3) == pytest.approx(nodule["diameter_mm"], rel=0.06)
        around = ndi.binary_dilation(own) & ~own
        assert (ill.labels[around] == ids_of(TOTAL, nodule["lobe"])[0]).mean() > 0.9
        assert ill.hu[tuple(voxel_of(ill, nodule["position_mm"]))] == pytest.approx(35, abs=10)


def test_ascites_has_its_volume_and_lies_low(ill):
    fluid = where(ill, "ascites")
    assert fluid.sum() * 0.027 == pytest.approx(1500, rel=0.001)
    assert findings(ill, "ascites")[0]["volume_ml"] == pytest.approx(1500, rel=0.001)
    assert np.median(ill.hu[ndi.binary_erosion(fluid, iterations=2)]) == pytest.approx(7, abs=1)
    near_liver = ndi.distance_transform_edt(~where(ill, "liver"), sampling=3.0)[fluid] < 15
    assert near_liver.mean() > 0.15
    pelvis = np.argwhere(where(ill, "urinary_bladder"))[:, 2].max()
    assert (np.argwhere(fluid)[:, 2] < pelvis).mean() > 0.05
    skin = ndi.distance_transform_edt(ill.labels > 0, sampling=3.0)
    assert skin[fluid].min() > 6


def test_more_ascites_than_there_is_room_leaves_room_for_the_bowel():
    full = make_phantom(Person("female", 30, 160, 50, 22, 36), 16.0, 1, Conditions(ascites_ml=6000))
    volume = full.findings[0]["volume_ml"]
    assert 500 < volume < 6000 and volume == pytest.approx(where(full, "ascites").sum() * 4.096)
    assert where(full, "torso_fat", "small_bowel", "colon").sum() * 4.096 > 300
    assert full.truth["mass_kg_true"] == pytest.approx(50, rel=0.01)


def test_what_a_person_has_keeps_mass_and_composition(ill):
    assert ill.truth["mass_kg_true"] == pytest.approx(80, rel=0.005)
    assert ill.truth["body_fat_percent_true"] == pytest.approx(27, abs=0.1)
    assert ill.truth["muscle_percent_true"] == pytest.approx(37, abs=0.1)


def test_metal_weighs_less_than_it_attenuates(ill):
    """The image's attenuation exceeds the body's mass by what titanium of 4.43 g/ml attenuates beyond its mass."""
    metal_ml = where(ill, "hip_implant").sum() * 0.027
    excess_g = (ill.hu + 1000).sum(dtype=np.float64) * 27e-6 - 1000 * ill.truth["mass_kg_true"]
    assert excess_g == pytest.approx(metal_ml * ((TITANIUM_HU + 1000) / 1000 - 4.43), rel=0.15)


def test_implant_is_metal_in_place_of_the_femoral_head(ill):
    metal = where(ill, "hip_implant")
    head = voxel_of(ill, findings(ill, "hip_implant")[0]["position_mm"])
    assert metal[tuple(head)] and ill.hu[tuple(head)] == pytest.approx(TITANIUM_HU, rel=0.01)
    assert 40 < metal.sum() * 0.027 < 110  # ml: a cup, a ball of 32 mm and a stem of 14 cm
    spacing = 3.0
    index = np.argwhere(where(ill, "femur_left")) - head
    assert np.linalg.norm(index, axis=1).min() * spacing > 25  # nothing is left of the head
    assert (np.argwhere(metal)[:, 0] < ill.labels.shape[0] / 2).all()  # the left is at low x in RAS
    left, right = (np.count_nonzero(where(ill, f"femur_{side}")) * 0.027 for side in ("left", "right"))
    assert left < right - 60  # ml of head, neck and shaft


def test_the_scanner_streaks_beside_an_implant(ill):
    z = voxel_of(ill, findings(ill, "hip_implant")[0]["position_mm"])[2]
    body = ill.hu[:, :, z : z + 1]
    image = scan(body, 3.0, ScannerSettings(None, 4e6), seed=0)
    muscle = np.isin(ill.labels[:, :, z : z + 1], ids_where(TOTAL, tissue_is="muscle")) & (body > 20)
    error = image - body
    metal = where(ill, "hip_implant")[:, :, z : z + 1]
    near = ndi.distance_transform_edt(~metal, sampling=3.0) < 50
    middle = ill.labels.shape[0] // 2
    beside, other = error[:middle][(muscle & near)[:middle]], error[middle:][muscle[middle:]]
    assert beside.std() > 2 * other.std() and beside.std() > 40
    assert image[metal].max() > 3071  # beyond what 12-bit CT stores


def test_two_metal_rods_darken_what_lies_between_them():
    axis = (np.arange(90) - 44.5) * 3.0
    x, y = np.meshgrid(axis, axis, indexing="ij")
    water = np.where(np.hypot(x, y) < 120, 0.0, -1000.0)
    rods = np.where((np.hypot(x - 40, y) < 8) | (np.hypot(x + 40, y) < 8), TITANIUM_HU, water)
    image = scan(rods[:, :, None], 3.0, ScannerSettings(photons=1e12), seed=0)[:, :, 0]
    between, beside = (np.abs(x) < 15) & (np.abs(y) < 5), (np.abs(x) < 15) & (np.abs(y - 70) < 5)
    assert image[between].mean() < -100 and abs(image[beside].mean()) < 60
    assert 4000 < image[np.hypot(x - 40, y) < 3].mean() < TITANIUM_HU  # the beam hardens in the rod


@pytest.mark.parametrize("amputation", AMPUTATIONS)
def test_amputated_limb_is_gone_and_the_rest_is_as_it_was(well, amputation):
    short = make_phantom(PERSON, 8.0, 4, Conditions(amputation=amputation))
    end = voxel_of(short, short.findings[0]["position_mm"])
    on_side = np.arange(short.labels.shape[0]) < short.labels.shape[0] // 2  # left is at low x
    if amputation.endswith("right"):
        on_side = ~on_side
    limb = np.zeros(short.labels.shape, bool)
    limb[on_side, :, : end[2] + 10] = True
    assert np.count_nonzero(short.labels[~limb] != well.labels[~limb]) < 25  # thighs touch across the midline
    below = limb & (np.arange(short.labels.shape[2]) < end[2] - 2)
    assert not short.labels[below].any() and short.hu[below].max() < -990 and well.labels[below].any()
    bones = ids_where(TOTAL, tissue_is="bone")
    stump = np.isin(short.labels, bones) & limb
    assert (np.argwhere(stump)[:, 2].min() - end[2]) * 8 > 8  # the bone ends inside
    end_of_limb = limb & (short.labels > 0) & (np.roll(short.labels, 1, axis=2) == 0)
    assert (short.labels[end_of_limb] == ids_of(TOTAL, "subcutaneous_fat")[0]).mean() > 0.9
    inner = ndi.binary_erosion(short.labels > 0, iterations=2) & limb
    assert short.hu[inner].min() > -150  # flesh, and no air, where the bone was
    # Mass before less mass after is the mass of what the images lost.
    lost_kg = ((well.hu - short.hu).sum(dtype=np.float64)) * 0.512e-6
    assert well.truth["mass_kg_true"] - short.truth["mass_kg_true"] == pytest.approx(lost_kg, abs=0.05)
    share = lost_kg / well.truth["mass_kg_true"]
    assert (0.03 < share < 0.06) if amputation.startswith("below") else (0.07 < share < 0.13)
    volume_l = short.truth["body_volume_l_true"]
    assert volume_l == pytest.approx((short.labels > 0).sum() * 0.512e-3, rel=0.005)
    assert (short.hu + 1000).sum(dtype=np.float64) * 0.512e-6 == pytest.approx(short.truth["mass_kg_true"], rel=1e-3)


@pytest.mark.parametrize("amputation", AMPUTATIONS[1:3])
def test_height_is_measured_on_the_leg_that_is_left(well, amputation):
    short = make_phantom(PERSON, 8.0, 4, Conditions(amputation=amputation))
    heights = [measure_height(Scan.of(phantom.hu, phantom.labels, TOTAL, phantom.affine)) for phantom in (well, short)]
    side = amputation.split("_")[-1]
    assert heights[1].total_cm == pytest.approx(heights[0].total_cm, abs=1.5)
    assert set(heights[1].legs) == {"left", "right"} - {side}
    reason = "the shin ends in a stump" if amputation.startswith("below") else "no tibia"
    assert heights[1].missing == {f"{side} leg": reason}
