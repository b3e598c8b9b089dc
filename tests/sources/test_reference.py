import pytest

from vctlib.config import load_profile
from vctlib.errors import InputError
from vctlib.sources import reference


def cohort_config(**changes):
    return load_profile("smoke", {"cohort": changes}).cohort


def test_the_profile_decides_the_source(tmp_path, monkeypatch):
    made = {}
    monkeypatch.setattr(reference, "make_phantom_cohort", lambda out, people, **how: made.update(how, people=people))
    config = cohort_config(n_people=5, scanner=None)
    reference.make_reference(config, tmp_path, seed=3)
    assert len(made["people"]) == 5 and made["scanner"] is None
    assert (made["spacing_mm"], made["grid"], made["seed"]) == (16.0, (48, 32, 128), 3)
    reference.make_reference(cohort_config(scanner={"angles": 90, "photons": 1e5, "bag": True}), tmp_path, seed=3)
    scanner = made["scanner"]
    assert (scanner.n_angles, scanner.photons, scanner.table, scanner.bag) == (90, 1e5, False, True)
    assert scanner.tube_current.angular == 0.5 and len(scanner.models) == 3
    assert made["rates"] is None
    reference.make_reference(cohort_config(conditions={"ascites": 0.3}), tmp_path, seed=3)
    assert made["rates"] == {"ascites": 0.3}


def test_compared_phantoms_are_others_on_a_grid_of_the_same_extent(tmp_path, monkeypatch):
    made = {}
    monkeypatch.setattr(reference, "make_phantom_cohort", lambda out, people, **how: made.update(how, people=people))
    profile = load_profile("smoke", {"comparison": {"n_people": 4, "spacing_mm": 5.0}})
    reference.make_compared(profile, tmp_path, seed=1)
    assert made["grid"] == [154, 103, 410]  # 768 x 512 x 2048 mm in voxels of 5 mm, rounded up
    assert made["spacing_mm"] == 5.0 and made["scanner"].n_angles is None and len(made["people"]) == 4
    compared = made["people"]["weight_kg"]
    reference.make_reference(profile.cohort, tmp_path, seed=0)
    assert not set(compared) & set(made["people"]["weight_kg"])


def test_more_people_are_others_made_in_the_same_way_and_the_same_again(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(reference, "make_phantom_cohort", lambda out, people, **how: made.append((out, people, how)))
    config = cohort_config(n_people=6, n_more=9)
    reference.make_reference(config, tmp_path / "reference", seed=3)
    for _ in range(2):
        reference.make_more(config, tmp_path / "more", seed=3, max_minutes=5.0)
    reference.make_more(config, tmp_path / "more", seed=4)
    (_, people, how), (out, more, how_more), (_, again, _), (_, others, how_others) = made
    assert out == tmp_path / "more" and len(people) == 6 and len(more) == 9
    columns = ["age_years", "height_cm", "weight_kg"]
    assert more.equals(again) and not set(more["weight_kg"]) & set(others["weight_kg"])
    assert not (set(more[columns].to_numpy().ravel()) & set(people[columns].to_numpy().ravel()))
    assert how_more["seed"] not in (3, how_others["seed"])  # nor is anybody's anatomy or noise that of the reference
    differing = {name for name in how_more if how.get(name) != how_more[name]}
    assert differing == {"seed", "name", "test_fraction", "max_minutes"}  # the scanner, the grid ... are the same
    assert how_more["test_fraction"] == 0.0 and how_more["name"] == "more" and how_more["max_minutes"] == 5.0


def test_others_have_the_attributes_asked_for_and_are_other_people(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(reference, "make_phantom_cohort", lambda out, people, **how: made.append((people, how)))
    config = cohort_config(n_people=6)
    reference.make_reference(config, tmp_path / "reference", seed=3)
    people = made[0][0].set_index("subject_id")
    reference.make_others(config, people.iloc[2:4], tmp_path / "others", seed=3, draws=2, max_minutes=5.0)
    others, how = made[1]
    assert list(others["subject_id"]) == ["P0003-o0", "P0003-o1", "P0004-o0", "P0004-o1"]
    assert list(others["reference_id"]) == ["P0003", "P0003", "P0004", "P0004"]
    for column in ("sex", "age_years", "height_cm", "weight_kg"):
        assert list(others[column]) == list(people.loc[others["reference_id"], column])
    composition = set(others["body_fat_percent_target"])
    assert len(composition) == 4 and not composition & set(people["body_fat_percent_target"])
    differing = {name for name in how if made[0][1].get(name) != how[name]}
    assert differing == {"seed", "name", "test_fraction", "max_minutes"} and how["name"] == "others"
    with pytest.raises(InputError, match="phantoms alone, not of nifti"):
        reference.make_others(cohort_config(source="nifti", n_more=0), people, tmp_path / "others", seed=3)


@pytest.mark.parametrize(
    ("changes", "paths", "message"),
    [
        ({"source": "nifti", "n_more": 0}, {}, "give ct_dir and people_csv"),
        ({"source": "nifti", "n_more": 0}, {"ct_dir": "x"}, "give ct_dir and people_csv"),
        ({}, {"label_dir": "x"}, "label_dir belong to the source nifti"),
        ({"spacing_mm": [16.0, 16.0, 8.0]}, {}, "cubic voxels"),
    ],
)
def test_mistakes_are_named_before_anything_is_made(tmp_path, changes, paths, message):
    with pytest.raises(InputError, match=message):
        reference.make_reference(cohort_config(**changes), tmp_path / "out", seed=0, **paths)
    assert not (tmp_path / "out").exists()
