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


@pytest.mark.parametrize(
    ("changes", "paths", "message"),
    [
        ({"source": "nifti"}, {}, "give ct_dir and people_csv"),
        ({"source": "nifti"}, {"ct_dir": "x"}, "give ct_dir and people_csv"),
        ({}, {"label_dir": "x"}, "label_dir belong to the source nifti"),
        ({"spacing_mm": [16.0, 16.0, 8.0]}, {}, "cubic voxels"),
    ],
)
def test_mistakes_are_named_before_anything_is_made(tmp_path, changes, paths, message):
    with pytest.raises(InputError, match=message):
        reference.make_reference(cohort_config(**changes), tmp_path / "out", seed=0, **paths)
    assert not (tmp_path / "out").exists()
