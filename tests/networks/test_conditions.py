"""Attributes as networks take them: by hand, against scikit-learn, and against leaving people out one by one."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PolynomialFeatures

from tests.networks.people import NAN, typical
from vctlib.attributes import AGE_EDGES, HEIGHT_EDGES, N_CATEGORIES, SEX, WEIGHT_EDGES, Attributes
from vctlib.networks.conditions import (
    AttributeEmbedding,
    AttributeRegression,
    features,
    penalties,
    places,
    to_categories,
)

KINDS = ["categories", "values"]


def everybody(n: int, unknown: float = 0.0) -> torch.Tensor:
    """Attributes (n, 4) of adults, each unknown with a probability."""
    low, high = torch.tensor([0.0, 18.0, 142.0, 42.0]), torch.tensor([2.0, 90.0, 198.0, 140.0])
    drawn = low + (high - low) * torch.rand(n, 4)
    drawn[:, 0] = drawn[:, 0].floor()
    return drawn.masked_fill(torch.rand(n, 4) < unknown, NAN)


def fitted(attributes: torch.Tensor, rows: torch.Tensor, conditioning: str = "values") -> AttributeRegression:
    """On rows (n, k), which are taken about their mean."""
    regression = AttributeRegression(conditioning, rows.shape[1:])
    effects, _ = regression.prepare(attributes)(rows - rows.mean(0))
    regression.effects.copy_(effects)
    return regression


def test_values_of_a_person_are_the_columns_that_networks_take():
    assert Attributes("male", 40, 171.5, 80.0).values() == (1.0, 40.0, 171.5, 80.0)
    assert Attributes("female").values()[0] == 0.0
    assert np.isnan(Attributes("female").values()[1:]).all() and np.isnan(Attributes(age_years=3).values()[0])


@pytest.mark.parametrize("column", [1, 2, 3])
def test_categories_are_those_of_the_attributes_at_every_edge(column):
    edges = (AGE_EDGES, HEIGHT_EDGES, WEIGHT_EDGES)[column - 1]
    name = ("age_years", "height_cm", "weight_kg")[column - 1]
    values = [edge + step for edge in edges for step in (-0.5, -0.001, 0.0, 0.001, 5.0)]
    values += [(1.0, 51.0, 3.0)[column - 1], (120.0, 270.0, 600.0)[column - 1]]
    people = [Attributes(**{name: value}) for value in values]
    found = to_categories(torch.tensor([person.values() for person in people]))
    assert found.dtype == torch.int64
    assert found.tolist() == [list(person.categories()) for person in people]
    assert set(found[:, column].tolist()) == set(range(1, len(edges) + 2))


def test_categories_of_the_sexes_and_of_nobody():
    people = [Attributes(sex, 44, 168, 71) for sex in (*SEX, None)] + [Attributes()]
    found = to_categories(torch.tensor([person.values() for person in people]))
    assert found.tolist() == [list(person.categories()) for person in people]
    assert found[-1].tolist() == [0, 0, 0, 0]


def test_places_go_from_the_first_edge_to_the_last():
    ends = torch.tensor([[0.0, *(e[0] for e in (AGE_EDGES, HEIGHT_EDGES, WEIGHT_EDGES))],
                         [1.0, *(e[-1] for e in (AGE_EDGES, HEIGHT_EDGES, WEIGHT_EDGES))],
                         [NAN, 55.0, 170.0, NAN]])  # fmt: skip
    found = places(ends, "values")
    torch.testing.assert_close(found[:2], torch.tensor([[-1.0] * 4, [1.0] * 4]))
    torch.testing.assert_close(found[2], torch.tensor([NAN, 0.0, 0.0, NAN]), equal_nan=True)
    by_category = places(typical(torch.tensor([[1] * 4, list(N_CATEGORIES.values()), [0] * 4])), "categories")
    torch.testing.assert_close(by_category[:2], torch.tensor([[-1.0] * 4, [1.0] * 4]))
    assert by_category[2].isnan().all()


@pytest.mark.parametrize("conditioning", KINDS)
def test_features_of_what_is_unknown_are_nothing(conditioning):
    people = everybody(50)
    without = people.clone()
    without[:, 2] = NAN
    found, known = features(without, conditioning)
    assert found.shape == known.shape == (50, len(penalties(conditioning)))
    assert found.isfinite().all() and not (found * (1 - known)).any()
    whole, all_known = features(people, conditioning)
    assert all_known.all()
    torch.testing.assert_close(found, whole * known)  # of the rest the same
    lost = (~known.bool()).all(0).sum()
    assert lost == 1 + 4 + (N_CATEGORIES["height"] if conditioning == "categories" else 0)


def test_regression_on_values_is_that_of_scikit_learn():
    people, rows = everybody(70), torch.randn(70, 5)
    rows = rows + people[:, 2:3] / 20 + (people[:, 3:] / 40) ** 2
    curves = PolynomialFeatures(2, include_bias=False).fit_transform(places(people, "values").numpy().astype(float))
    curves = np.delete(curves, 4, axis=1)  # the square of sex is 1
    scaled = curves / np.sqrt(np.repeat([0.1, 0.5], [4, 9]))
    ridge = Ridge(alpha=1, solver="cholesky").fit(scaled, rows.double().numpy())
    expected = torch.from_numpy(ridge.predict(scaled)).float()
    found = rows.mean(0) + fitted(people, rows)(people)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("conditioning", KINDS)
def test_residuals_are_those_of_people_left_out(conditioning):
    people, rows = everybody(40), torch.randn(40, 3)
    rows = rows + people[:, 2:3] / 10
    regression = AttributeRegression(conditioning, (3,))
    _, left = regression.prepare(people)(rows - rows.mean(0))
    for i in (0, 7, 39):
        others = torch.arange(40) != i
        without = fitted(people[others], rows[others], conditioning)
        without.lowest.fill_(-torch.inf), without.highest.fill_(torch.inf)
        expected = rows[i] - rows[others].mean(0) - without(people[i : i + 1])[0]
        torch.testing.assert_close(left[i], expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("conditioning", KINDS)
def test_unknown_contributes_nothing(conditioning):
    people = everybody(200)
    rows = people[:, 1:3] / 10 + 0.1 * torch.randn(200, 2)
    regression = fitted(people, rows, conditioning)
    nobody = torch.full((1, 4), NAN)
    assert not regression(nobody).any()
    known_age = nobody.clone()
    known_age[0, 1] = 75.0
    of_age = rows.mean(0) + regression(known_age)[0]
    assert of_age[0].item() == pytest.approx(7.5, abs=0.4)
    assert of_age[1].item() == pytest.approx(rows[:, 1].mean().item(), abs=0.3)  # height has nothing to do with it


@pytest.mark.parametrize("column", [1, 2, 3])
def test_beyond_what_was_seen_the_nearest_seen_is_used(column):
    """The square, too, is that of the nearest seen value, and not the largest square of anybody."""
    people = everybody(300)
    regression = fitted(people, people[:, column : column + 1] ** 2 / 100)
    seen = people[:, column]
    for beyond, nearest in ((1.0, seen.min()), (400.0, seen.max())):
        asked = torch.full((2, 4), NAN)
        asked[:, column] = torch.tensor([beyond, nearest])
        found = regression(asked)
        torch.testing.assert_close(found[0], found[1])


def test_a_feature_of_which_little_is_known_is_held_to_who_is_known():
    """All who tell their age are old: somebody young is taken for the youngest of them, and not for an age between
    them and the middle, where the unknown stand."""
    people = everybody(100)
    people[:, 1] = torch.linspace(70, 90, 100)
    rows = people[:, 1:2].clone()
    people[50:, 1] = NAN
    regression = fitted(people, rows)
    young, youngest = (torch.tensor([[NAN, age, NAN, NAN]]) for age in (58.0, 70.0))
    torch.testing.assert_close(regression(young), regression(youngest))
    assert regression(torch.tensor([[NAN, 58.0, NAN, 70.0]])).isfinite().all()


@pytest.mark.parametrize("conditioning", KINDS)
def test_an_attribute_that_nobody_tells_is_no_obstacle(conditioning):
    people = everybody(30)
    people[:, 1] = NAN
    regression = fitted(people, torch.randn(30, 2), conditioning)
    assert regression(everybody(10)).isfinite().all()
    without = people.clone()
    people[:, 1] = 50.0
    torch.testing.assert_close(regression(people), regression(without))


@pytest.mark.parametrize("conditioning", KINDS)
def test_regression_is_restored_from_its_state(conditioning):
    people, rows = everybody(60), torch.randn(60, 2)
    regression, other = fitted(people, rows, conditioning), AttributeRegression(conditioning, (2,))
    other.load_state_dict(regression.state_dict())
    anybody = everybody(40) * torch.tensor([1.0, 1.3, 1.2, 1.5])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(other(anybody), regression(anybody))


def test_every_category_and_none_has_its_own_vector():
    embedding = AttributeEmbedding("categories", 32, 64)
    everyone = [(0, 0, 0, 0)]
    for i, size in enumerate(N_CATEGORIES.values()):
        everyone += [tuple(value if j == i else 0 for j in range(4)) for value in range(1, size + 1)]
    out = embedding(typical(torch.tensor(everyone)))
    assert out.shape == (1 + sum(N_CATEGORIES.values()), 64)
    assert (torch.cdist(out, out) + torch.eye(len(out))).min() > 1e-3
    assert [table.weight.shape for table in embedding.tables] == [(n + 1, 32) for n in N_CATEGORIES.values()]


def test_an_embedding_of_categories_knows_no_more_than_them():
    embedding = AttributeEmbedding("categories", 8, 16)
    people = torch.tensor([[1.0, 41.0, 171.0, 91.0], [1.0, 49.9, 179.0, 99.0], [1.0, 41.0, 181.0, 91.0]])
    out = embedding(people)
    assert torch.equal(out[0], out[1]) and not torch.equal(out[0], out[2])


@pytest.mark.parametrize("column", range(4))
def test_an_embedding_of_values_tells_the_unknown_from_the_middle(column):
    embedding = AttributeEmbedding("values", 16, 32)
    middle = torch.tensor([0.5, 55.0, 170.0, 85.0])
    assert not places(middle[None], "values").any()
    unknown, more = middle.clone(), middle.clone()
    unknown[column], more[column] = NAN, middle[column] + 1e-2
    out = embedding(torch.stack([middle, unknown, more]))
    assert out.isfinite().all()
    near, far = (out[0] - out[2]).norm(), (out[0] - out[1]).norm()
    assert 0 < near < far  # the value matters, and a little of it little


@pytest.mark.parametrize("conditioning", KINDS)
def test_an_embedding_is_of_each_person_alone(conditioning):
    embedding, people = AttributeEmbedding(conditioning, 8, 16), everybody(6, unknown=0.3)
    torch.testing.assert_close(embedding(people)[3:4], embedding(people[3:4]))
