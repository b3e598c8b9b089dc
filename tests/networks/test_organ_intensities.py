"""Intensities within each label: read, drawn for people whose law is known, and kept."""

import numpy as np
import pytest
import torch

from vctlib.anatomy import PAPER16, ids_of
from vctlib.networks.organ_intensities import (
    ORGANS,
    QUANTILES,
    TOLD,
    OrganIntensities,
    of_no_organ,
    organ_quantiles,
    with_organ_quantiles,
)

(LIVER,), (SPLEEN,), (BONE,) = (ids_of(PAPER16, name) for name in ("liver", "spleen", "bone"))
ROW = {organ: row for row, organ in enumerate(ORGANS)}


@pytest.fixture
def body():
    """A liver into which a rib shines, a small spleen, bone, and beside them fat, muscle and air."""
    rng = np.random.default_rng(0)
    labels = np.zeros((24, 16, 16), np.uint8)
    labels[:8], labels[8:10, :2, :4], labels[12:16] = LIVER, SPLEEN, BONE
    hu = rng.normal(40, 5, labels.shape).astype(np.float32)
    hu[:2] += 260.0
    hu[labels == BONE] = 500.0
    hu[16:19] -= 140.0
    hu[22:] = -1000.0
    return hu, labels


FAT, OTHER = TOLD.index("fat"), TOLD.index("other_soft_tissue")


def test_quantiles_are_those_of_each_organ(body):
    hu, labels = body
    found = organ_quantiles(hu, labels)
    np.testing.assert_allclose(found[ROW[LIVER]], np.quantile(hu[labels == LIVER], QUANTILES), rtol=1e-6)
    assert np.isnan(found[[row for organ, row in ROW.items() if organ != LIVER]]).all()  # 16 voxels are too few
    assert BONE not in ORGANS and len(ORGANS) == 14 and len(found) == 16
    assert found[FAT, 20] == pytest.approx(-100, abs=1) and found[OTHER, 20] == pytest.approx(40, abs=1)
    np.testing.assert_array_equal(of_no_organ(found)[14:], found[14:])
    assert np.isnan(of_no_organ(found)[:14]).all()


def test_an_organ_gets_what_is_told_and_keeps_its_order(body):
    hu, labels = body
    told = np.full((len(TOLD), len(QUANTILES)), np.nan, np.float32)
    told[ROW[LIVER]] = 50 + 10 * QUANTILES
    told[ROW[SPLEEN]] = 1000.0
    changed = with_organ_quantiles(hu, labels, told)
    inside = labels == LIVER
    np.testing.assert_allclose(np.quantile(changed[inside], QUANTILES), told[ROW[LIVER]], atol=0.2)
    assert (np.diff(changed[inside][np.argsort(hu[inside])]) >= 0).all()
    assert np.array_equal(changed[~inside], hu[~inside]) and changed.dtype == np.float32
    assert hu[:2].min() > 250.0  # a copy


def test_its_own_quantiles_leave_a_body_as_it_is(body):
    hu, labels = body
    np.testing.assert_allclose(with_organ_quantiles(hu, labels, organ_quantiles(hu, labels)), hu, atol=1e-3)


def test_fat_and_muscle_become_as_told_and_there_is_as_much_of_each(body):
    """Also where what is told of fat reaches beyond its border."""
    hu, labels = body
    told = np.full((len(TOLD), len(QUANTILES)), np.nan, np.float32)
    told[FAT], told[OTHER] = np.linspace(-130, -10, 41), np.linspace(-60, 55, 41)
    changed = with_organ_quantiles(hu, labels, told)
    fat, other = labels == 0, labels == 0
    fat, other = fat & (hu < -30) & (hu > -190), other & (hu >= -30)
    assert changed[fat].max() < -30 <= changed[other].min() == -30
    assert np.median(changed[fat]) == pytest.approx(told[FAT, 20], abs=0.5)
    assert np.median(changed[other]) == pytest.approx(told[OTHER, 20], abs=0.5)
    assert np.array_equal(changed[~fat & ~other], hu[~fat & ~other])


def people(n: int):
    """Organs whose medians rise with age and with the latents' first score, 10 HU about them; no prostate in women and
    no spleen in anybody."""
    attributes = torch.stack(
        [torch.arange(n) % 2, 20 + 60 * torch.rand(n), 170 + 8 * torch.randn(n), 80 + 12 * torch.randn(n)], 1
    )
    scores = torch.randn(n, 2)
    medians = 40 - 0.2 * (attributes[:, 1] - 50) + 4 * scores[:, 0] + torch.randn(n)
    quantiles = medians[:, None, None] + 10 * torch.from_numpy(QUANTILES - 0.5).float().expand(n, len(TOLD), -1)
    quantiles[attributes[:, 0] == 0, ROW[ids_of(PAPER16, "prostate")[0]]] = torch.nan
    quantiles[:, ROW[SPLEEN]] = torch.nan
    return quantiles, attributes, scores


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = OrganIntensities("values", 2)
    quantiles, attributes, scores = people(1500)
    model.fit(quantiles, attributes, lambda _: scores)
    return model


def test_drawn_organs_follow_age_and_latents(model):
    old = torch.tensor([[1.0, 70.0, 170.0, 80.0]] * 2)
    scores = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    drawn = model.draw(old, scores, torch.zeros(2, len(TOLD)))
    liver = drawn[:, ROW[LIVER]]
    assert liver[:, 20] == pytest.approx([36.0, 44.0], abs=0.7)
    assert liver[0] - liver[0, 20] == pytest.approx(10 * (QUANTILES - 0.5), abs=1e-3)
    assert drawn[0, ROW[ids_of(PAPER16, "prostate")[0]]] == pytest.approx(liver[0], abs=3)
    assert np.isnan(drawn[:, ROW[SPLEEN]]).all()


def test_noise_is_what_attributes_and_latents_leave(model):
    somebody, count = torch.tensor([[1.0, 70.0, 170.0, 80.0]]).expand(3000, -1), len(TOLD)
    drawn = model.draw(somebody, torch.zeros(3000, 2), torch.randn(3000, count))[:, ROW[LIVER], 20]
    assert drawn.std() == pytest.approx(1.0, rel=0.2)  # of 5.6 in all


def test_a_few_people_are_enough():
    quantiles, attributes, _ = people(4)
    model = OrganIntensities("categories", 0)
    model.fit(quantiles, attributes, lambda told: torch.zeros(len(told), 0))
    drawn = model.draw(attributes, torch.zeros(4, 0), torch.zeros(4, len(TOLD)))
    assert np.isfinite(drawn[:, ROW[LIVER]]).all() and np.abs(drawn[:, ROW[LIVER]] - 40).max() < 60


def test_what_is_forgotten_is_left_as_it_is(body):
    hu, labels = body
    model, (quantiles, attributes, _) = OrganIntensities("categories", 0), people(4)
    arguments = attributes, torch.zeros(4, 0), torch.zeros(4, len(TOLD))
    model.fit(quantiles, attributes, lambda told: torch.zeros(len(told), 0))
    assert not np.array_equal(with_organ_quantiles(hu, labels, model.draw(*arguments)[0]), hu)
    model.forget()
    assert np.array_equal(with_organ_quantiles(hu, labels, model.draw(*arguments)[0]), hu)
