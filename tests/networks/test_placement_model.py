"""Sizes and places of bodies given attributes and latents, against people whose law is known."""

import pytest
import torch

from tests.networks.people import NAN
from vctlib.networks.body_frame import NUMBERS, Placement
from vctlib.networks.placement_model import PlacementModel

SPREAD = torch.tensor(  # Cholesky factor of what attributes leave: of log length, log girth, mm, percent and HU
    [
        [0.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [-0.01, 0.03, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 2.0, 0.0, 6.0, 0.0, 0.0, 0.0],
        [-8.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0],
        [0.0, 4.0, 0.0, 0.0, 0.0, 3.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, -12.0, 40.0],
    ]
)
SCALE = (SPREAD @ SPREAD.T).diag().sqrt()
COUNT = NUMBERS
N_FACTORS = 5
OF_SCORES = torch.zeros(N_FACTORS, COUNT)  # what latents tell beside attributes: half of the spread and more
OF_SCORES[0, 0], OF_SCORES[1, 4], OF_SCORES[2, 5] = 0.03, 6.0, -8.0
NONE = torch.zeros(3, N_FACTORS)


def law(attributes: torch.Tensor) -> torch.Tensor:
    """Mean of log length, log girth (mm), of x, y, z (mm), fat (%) and bone (HU): people are as long as they are tall,
    and so on."""
    sex, _, height, weight = attributes.double().T
    length = 7.4 + (height - 170) / 170
    girth = 5.4 + (weight - 80) / 160 - 0.3 * (height - 170) / 170 + 0.02 * sex
    y = 10 + (weight - 80) / 4
    z = -860 - (height - 170) * 5
    fat = 45 + (weight - 80) / 2 - (height - 170) / 2 - 12 * sex
    bone = 450 + 20 * sex
    return torch.stack([length, girth, torch.zeros_like(y), y, z, fat, bone], 1)


def population(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Placements (n, 7), attributes (n, 4) and the latents' scores (n, 5) for these attributes."""
    middle, deviation = torch.tensor([0.0, 50.0, 170.0, 80.0]), torch.tensor([0.0, 18.0, 8.0, 15.0])
    attributes = middle + deviation * torch.randn(n, 4).clamp(-2, 2)
    attributes[:, 0] = torch.arange(n) % 2
    scores = torch.randn(n, N_FACTORS)
    rows = law(attributes).float() + scores @ OF_SCORES + torch.randn(n, COUNT) @ SPREAD.T
    return torch.cat([rows[:, :2].exp(), rows[:, 2:]], 1), attributes, scores


def fit(model: PlacementModel, placements: torch.Tensor, attributes: torch.Tensor, scores: torch.Tensor) -> None:
    """Latents of whom a height is not told have the height on their last factor."""

    def scores_where(told: torch.Tensor) -> torch.Tensor:
        untold = told[:, 2].isnan()
        found = scores.clone()
        found[untold, -1] += (attributes[untold, 2] - 170) / 4
        return found

    model.fit(placements, attributes, scores_where)


@pytest.fixture(scope="module")
def model() -> PlacementModel:
    torch.manual_seed(0)
    model = PlacementModel("values", N_FACTORS)
    fit(model, *population(3000))
    return model


def rows_of(placements: list[Placement]) -> torch.Tensor:
    found = torch.tensor([placement.numbers for placement in placements])
    return torch.cat([found[:, :2].log(), found[:, 2:]], 1)


SOMEBODY = torch.tensor([[0.0, 60.0, 158.0, 95.0], [1.0, 30.0, 184.0, 72.0], [1.0, 50.0, 170.0, 80.0]])


def test_without_noise_it_is_the_mean_of_such_people(model):
    found = rows_of(model.draw(SOMEBODY, NONE, torch.zeros(3, COUNT)))
    allowed = torch.tensor([0.004, 0.006, 0.8, 1.2, 2.0, 1.0, 8.0]).expand(3, -1)
    assert ((found - law(SOMEBODY).float()).abs() < allowed).all()
    placement = model.draw(SOMEBODY[:1], NONE[:1], torch.zeros(1, COUNT))[0]
    assert isinstance(placement, Placement) and 1400 < placement.length < 1700 and 200 < placement.girth < 300


def test_noise_has_the_covariance_that_attributes_leave(model):
    drawn = rows_of(model.draw(SOMEBODY[:1].expand(4000, -1), torch.zeros(4000, N_FACTORS), torch.randn(4000, COUNT)))
    wanted = (SPREAD @ SPREAD.T) / SCALE / SCALE[:, None]
    torch.testing.assert_close((drawn / SCALE).T.cov(), wanted, atol=0.12, rtol=0)


def test_latents_tell_what_they_told_of_training_people(model):
    """A factor's effect on each number, and nothing where it has none; with noise, latents and it add up."""
    scores = torch.eye(3, N_FACTORS)
    moved = rows_of(model.draw(SOMEBODY, scores, torch.zeros(3, COUNT))) - rows_of(
        model.draw(SOMEBODY, NONE, torch.zeros(3, COUNT))
    )
    torch.testing.assert_close(moved / SCALE, OF_SCORES[:3] / SCALE, atol=0.08, rtol=0.03)
    many = torch.randn(4000, N_FACTORS)
    drawn = rows_of(model.draw(SOMEBODY[:1].expand(4000, -1), many, torch.randn(4000, COUNT)))
    wanted = (SPREAD @ SPREAD.T + OF_SCORES.T @ OF_SCORES) / SCALE / SCALE[:, None]
    torch.testing.assert_close((drawn / SCALE).T.cov(), wanted, atol=0.3, rtol=0.06)


def test_a_height_that_is_not_told_is_read_from_the_latents(model):
    """Told, it is not counted twice."""
    attributes = SOMEBODY[2:].clone()
    attributes[0, 2] = NAN
    tall = torch.zeros(1, N_FACTORS)
    tall[0, -1] = (184.0 - 170) / 4
    length = rows_of(model.draw(attributes, tall, torch.zeros(1, COUNT)))[0, 0]
    assert length == pytest.approx(7.4 + 14 / 170, abs=0.02)
    told = rows_of(model.draw(SOMEBODY[2:], tall, torch.zeros(1, COUNT)))[0, 0]
    assert told == pytest.approx(7.4, abs=0.01)


def test_of_whom_nothing_is_known_everybody_is_drawn(model):
    """Mean and covariance of the whole population, not of people of one height and weight."""
    everybody = rows_of([Placement(*row) for row in population(4000)[0].tolist()])
    scores = torch.randn(4000, N_FACTORS)
    scores[:, -1] += 2 * torch.randn(4000)  # as heights on the last factor
    drawn = rows_of(model.draw(torch.full((4000, 4), NAN), scores, torch.randn(4000, COUNT)))
    scale = everybody.std(0)
    torch.testing.assert_close(drawn.mean(0) / scale, everybody.mean(0) / scale, atol=0.1, rtol=0)
    torch.testing.assert_close((drawn / scale).T.cov(), (everybody / scale).T.cov(), atol=0.12, rtol=0)


def test_what_is_known_takes_spread_away(model):
    def spread(*known: int) -> torch.Tensor:
        attributes = torch.full((1, 4), NAN)
        attributes[0, list(known)] = SOMEBODY[2, list(known)]
        return rows_of(
            model.draw(attributes.expand(2000, -1), NONE[:1].expand(2000, -1), torch.randn(2000, COUNT))
        ).std(0)

    nothing, height, weight = spread(), spread(2), spread(3)
    assert weight[1] < 0.6 * nothing[1] and height[1] > 0.9 * nothing[1]  # of girth mostly the weight tells
    assert height[0] < 1.02 * nothing[0] and weight[0] > 0.9 * nothing[0]  # of length only the height, or the latents


def test_the_same_noise_gives_the_same_placement_in_any_company(model):
    noise, scores = torch.randn(3, COUNT, dtype=torch.float64), torch.randn(3, N_FACTORS)
    together = model.draw(SOMEBODY, scores, noise)
    assert together == model.draw(SOMEBODY, scores, noise)
    alone = [model.draw(SOMEBODY[i : i + 1], scores[i : i + 1], noise[i : i + 1])[0] for i in range(3)]
    assert together == alone and len(set(together)) == 3
    assert model.draw(SOMEBODY, scores, noise + 1)[0] != together[0] != model.draw(SOMEBODY, scores + 1, noise)[0]


def test_beyond_who_was_seen_nobody_grows(model):
    """A height of three metres is a slip of the pen; the longest body is that of the tallest person seen."""
    slip = torch.tensor([[1.0, 50.0, 300.0, 80.0]])
    assert model.draw(slip, NONE[:1], torch.zeros(1, COUNT))[0].length < 1900


@pytest.mark.parametrize("n_factors", [0, N_FACTORS])
def test_a_few_people_and_the_same_place_for_all_are_no_obstacle(n_factors):
    few = PlacementModel("categories", n_factors)
    placements, attributes, scores = population(4)
    scores, drawn = scores[:, :n_factors], torch.randn(3, n_factors)
    few.fit(placements, attributes, lambda _: scores)
    assert rows_of(few.draw(SOMEBODY, drawn, torch.randn(3, COUNT))).isfinite().all()
    same = torch.tensor([[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])  # without a frame in the profile
    few.fit(same.expand(4, -1), attributes, lambda _: scores)
    found = torch.tensor([one.numbers for one in few.draw(SOMEBODY, drawn, torch.randn(3, COUNT))])
    torch.testing.assert_close(found, same.expand(3, -1), atol=1e-3, rtol=0)


def test_restored_from_its_state_it_is_the_same(model):
    other = PlacementModel("values", N_FACTORS)
    other.load_state_dict(model.state_dict())
    noise, scores = torch.randn(3, COUNT), torch.randn(3, N_FACTORS)
    assert other.draw(SOMEBODY, scores, noise) == model.draw(SOMEBODY, scores, noise)


def test_shapes_are_drawn_with_what_they_went_with():
    """A coefficient that was half the share of fat, and one that was nothing's."""
    torch.manual_seed(1)
    placements, attributes, scores = population(3000)
    of_fat = (placements[:, 5:6] - 45) / 10 + 0.5 * torch.randn(3000, 1)
    model = PlacementModel("values", N_FACTORS, 2)
    fit(model, torch.cat([placements, of_fat, torch.randn(3000, 1)], 1), attributes, scores)
    drawn = model.draw(SOMEBODY[:1].expand(3000, -1), torch.zeros(3000, N_FACTORS), torch.randn(3000, model.count))
    fat, shape = torch.tensor([one.fat for one in drawn]), torch.tensor([one.shape for one in drawn])
    assert model.count == 9 and shape.shape == (3000, 2)
    assert shape[:, 0].mean() == pytest.approx((fat.mean().item() - 45) / 10, abs=0.1)
    # of a variance of 0.26 and 0.25, what fat tells
    assert torch.corrcoef(torch.stack([fat, shape[:, 0]]))[0, 1] == pytest.approx(0.7, abs=0.08)
    assert abs(torch.corrcoef(torch.stack([fat, shape[:, 1]]))[0, 1]) < 0.1
