"""Equation B1 and composition against numbers worked out by hand."""

import numpy as np
import pytest

from vctlib.anatomy import TOTAL
from vctlib.measure import Scan
from vctlib.measure.composition import composition_by_labels, composition_by_windows
from vctlib.measure.mass import HU_RHO, body_volume_l, density_g_per_ml, mass_kg, mass_normalised_hu

NUMBER = {name: number for number, name in TOTAL.items()}


def scan_of(*slabs, spacing=10.0):
    """Slabs of (label name or None, HU, thickness in voxels) along z, 10 x 10 voxels wide, air around."""
    depth = sum(thickness for _, _, thickness in slabs)
    hu, labels = np.full((14, 14, depth + 4), -1000, np.int16), np.zeros((14, 14, depth + 4), np.uint8)
    z = 2
    for name, value, thickness in slabs:
        hu[2:12, 2:12, z : z + thickness] = value
        labels[2:12, 2:12, z : z + thickness] = NUMBER[name] if name else 0
        z += thickness
    return Scan.of(hu, labels, TOTAL, np.diag([spacing, spacing, spacing, 1.0]))


def test_mass_normalised_hu_by_hand():
    """sqrt(0.1974 x 0.1800) / sqrt(0.2059 x 0.1837) = 0.18850 / 0.19449 = 0.96923, and so on from the NIST table."""
    assert HU_RHO["fat"] == pytest.approx(-30.8, abs=0.05)
    assert HU_RHO["muscle"] == pytest.approx(-6.5, abs=0.05)
    assert HU_RHO["lung"] == pytest.approx(-4.5, abs=0.05)
    assert mass_normalised_hu("water") == 0.0
    assert mass_normalised_hu("cortical bone") == pytest.approx(362.0, abs=0.1)


def test_bone_with_marrow_by_hand():
    """9500 g of mineral, 5108 g of fat (2948 male, 2160 female) and 3692 g of the rest, over 18300 g of skeleton."""
    grams = {"cortical bone": 9500.0, "adipose tissue": 4280.0 + 828.0, "soft tissue": 1242.0 + 2450.0}
    assert sum(grams.values()) == 10500.0 + 7800.0  # both reference skeletons
    expected = (9500 * 362.0 - 5108 * 30.77 - 3692 * 6.48) / 18300
    assert HU_RHO["bone"] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("name", "g_per_ml", "hu_range"),
    [("fat", 0.95, (-120, -70)), ("muscle", 1.05, (30, 70)), ("organ", 1.06, (30, 70))],
)
def test_icru_densities_give_the_hu_seen_on_scanners(name, g_per_ml, hu_range):
    """Equation B1 backwards: tissues of the density that ICRU 44 states lie where radiologists find them."""
    assert hu_range[0] < g_per_ml * (HU_RHO[name] + 1000) - 1000 < hu_range[1]


def test_density_of_each_tissue():
    names = ["subcutaneous_fat", "skeletal_muscle", "gluteus_maximus_left", "femur_left", "liver", None]
    hu = np.array([-100.0, 50.0, 50.0, 500.0, 60.0, 0.0])
    labels = np.array([NUMBER[name] if name else 0 for name in names], np.uint8)
    by_hand = [900 / 969.23, 1050 / 993.52, 1050 / 993.52, 1500 / 1178.05, 1060 / 993.52, 1000 / 993.52]
    np.testing.assert_allclose(density_g_per_ml(hu, labels, TOTAL), by_hand, rtol=1e-5)


def test_air_is_weightless_at_and_below_minus_900():
    hu = np.array([-1024, -1000, -900, -899], np.int16)
    density = density_g_per_ml(hu, np.zeros(4, np.uint8), TOTAL)
    np.testing.assert_allclose(density, [0, 0, 0, 101 / 993.52], rtol=1e-4, atol=1e-7)


def test_mass_volume_and_composition_of_slabs():
    """4 litres of fat at -100 HU, 5 of muscle at 50, 1 of liver at 60: everything follows by hand."""
    scan = scan_of(
        ("subcutaneous_fat", -100, 20), ("skeletal_muscle", 50, 20), ("iliopsoas_left", 50, 5), ("liver", 60, 5)
    )
    fat, muscle, liver = 2.0 * 900 / 969.23, 2.5 * 1050 / 993.52, 0.5 * 1060 / 993.52
    total = fat + muscle + liver
    assert body_volume_l(scan) == pytest.approx(5.0)
    assert mass_kg(scan) == pytest.approx(total, rel=1e-5)
    found = composition_by_labels(scan)
    assert found.mass_kg == pytest.approx(total, rel=1e-5)
    assert found.body_fat_percent == pytest.approx(100 * fat / total, rel=1e-5)
    assert found.muscle_percent == pytest.approx(100 * muscle / total, rel=1e-5)
    windows = composition_by_windows(scan)
    assert windows.body_fat_percent == pytest.approx(100 * fat / total, rel=1e-4)
    assert windows.muscle_percent == pytest.approx(100 * (muscle + liver) / total, rel=1e-4)  # liver counts as lean


def test_mass_scales_with_voxel_volume():
    slabs = (("skeletal_muscle", 50, 10), ("torso_fat", -90, 10))
    assert mass_kg(scan_of(*slabs, spacing=5.0)) == pytest.approx(mass_kg(scan_of(*slabs, spacing=10.0)) / 8)


def test_windows_are_closed_below_and_open_above():
    for value, fat, lean in (
        (-191, 0, 0),
        (-190, 1, 0),
        (-31, 1, 0),
        (-30, 0, 0),
        (-29, 0, 1),
        (149, 0, 1),
        (150, 0, 0),
    ):
        found = composition_by_windows(scan_of((None, value, 5), (None, 2000, 1)))
        assert (found.body_fat_percent > 0, found.muscle_percent > 0) == (fat, lean), value


def test_tissue_that_nobody_labelled_is_unknown_not_zero():
    found = composition_by_labels(scan_of(("skeletal_muscle", 50, 5)))
    assert np.isnan(found.body_fat_percent)
    assert found.muscle_percent == pytest.approx(100.0)


def test_gas_inside_the_body_has_volume_but_no_mass():
    scan = scan_of(("skeletal_muscle", 50, 10))
    hollow = scan.hu.copy()
    hollow[6:8, 6:8, 4:10] = -1000
    with_gas = Scan.of(hollow, scan.labels, TOTAL, scan.affine)
    assert body_volume_l(with_gas) == pytest.approx(body_volume_l(scan))
    assert mass_kg(scan) - mass_kg(with_gas) == pytest.approx(24e-3 * 1050 / 993.52, rel=1e-4)
