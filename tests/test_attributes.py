import pytest

from vctlib.attributes import ATTRIBUTES, N_CATEGORIES, Attributes, category_label
from vctlib.errors import InputError


def test_the_papers_example():
    # Fig. 3 of the paper: male, 50-60 years, 170-180 cm, 60-70 kg.
    person = Attributes("male", 57.2, 174.0, 66.0)
    labels = [category_label(a, c) for a, c in zip(ATTRIBUTES, person.categories(), strict=True)]
    assert labels == ["male", "50-60 years", "170-180 cm", "60-70 kg"]


@pytest.mark.parametrize(("height", "index"), [(149.99, 1), (150.0, 2), (159.99, 2), (190.0, 6), (210.0, 6)])
def test_bins_are_closed_open(height, index):
    assert Attributes(height_cm=height).categories()[2] == index


def test_unknown_is_none_category():
    assert Attributes().categories() == (0, 0, 0, 0)
    row = {"sex": "", "age_years": float("nan"), "height_cm": None, "weight_kg": "72"}
    assert Attributes.from_row(row).categories() == (0, 0, 0, 4)
    assert category_label("age", 0) == "any"


def test_every_category_has_its_own_label():
    for attribute, count in N_CATEGORIES.items():
        assert len({category_label(attribute, i) for i in range(count + 1)}) == count + 1


def test_bad_input_is_named():
    with pytest.raises(InputError, match="'M'"):
        Attributes(sex="M")
    with pytest.raises(InputError, match="weight_kg"):
        Attributes(weight_kg=-3)
    with pytest.raises(InputError, match="height_cm is 1.65, .* is it in metres?"):
        Attributes(height_cm=1.65)
    with pytest.raises(InputError, match="age_years is 450, not between 0 and 125"):
        Attributes(age_years=450)
    with pytest.raises(InputError, match="age_years is 'forty'; it must be a number"):
        Attributes.from_row({"sex": "male", "age_years": "forty", "height_cm": 170, "weight_kg": 70})
    with pytest.raises(InputError, match="height_cm"):
        Attributes.from_row({"sex": "male", "age_years": 3})
    with pytest.raises(InputError, match="no category"):
        category_label("age", 99)
