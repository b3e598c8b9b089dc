"""`vct synthesize`: a table of people becomes a measured cohort."""

import numpy as np
import pandas as pd
import pytest
import yaml

from vctlib.cohort import Cohort
from vctlib.commands.synthesize import synthesize_people
from vctlib.errors import InputError
from vctlib.sources.reference import taught_attributes


@pytest.fixture(scope="module")
def micro(tmp_path_factory, micro_profile, micro_shop):
    """The micro profile as a file, and the folder of its weights."""
    path = tmp_path_factory.mktemp("profile") / "micro.yaml"
    path.write_text(yaml.safe_dump(micro_profile.model_dump(mode="json")))
    return {"profile": str(path), "models": str(micro_shop[0].models)}


def write(path, *rows):
    path.write_text("\n".join(["subject_id,sex,age_years,height_cm,weight_kg", *rows]) + "\n")
    return str(path)


def test_everybody_is_drawn_measured_and_flagged(micro, micro_profile, tmp_path, capsys):
    people = write(tmp_path / "people.csv", "a,female,40,165,60", "b,male,99,195,150", "c,,,,")
    out = synthesize_people(people, str(tmp_path / "cohort"), draws=2, seed=1, **micro)
    cohort = Cohort.open(out)
    assert cohort.subjects == ["a-s0", "a-s1", "b-s0", "b-s1", "c-s0", "c-s1"] and cohort.info.kind == "synthetic"
    assert cohort.info.grid == micro_profile.cohort.grid and cohort.has_labels
    assert set(cohort.table["split"]) == {"test"} and cohort.table["sex"].isna().sum() == 2
    assert cohort.table["mass_kg_measured"].notna().all() and "body_fat_percent_measured" in cohort.table
    assert cohort.table["flag"].loc["b-s0"] == "extrapolation"
    assert "beyond the people that the generator learned from: " in capsys.readouterr().out
    first = cohort.ct("a-s0")[0]
    again = synthesize_people(write(tmp_path / "one.csv", "a,female,40,165,60"), str(tmp_path / "one"), seed=1, **micro)
    assert np.array_equal(Cohort.open(again).ct("a-s0")[0], first)  # whoever else is asked for


def test_a_folder_that_holds_something_else_stays_as_it_is(micro, tmp_path):
    people, out = write(tmp_path / "people.csv", "a,female,40,165,60"), tmp_path / "cohort"
    synthesize_people(people, str(out), **micro)
    before = {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    other = write(tmp_path / "other.csv", "a,female,70,150,90")  # of the same name
    for table, seed in ((other, 0), (people, 1)):
        with pytest.raises(InputError, match="other people, settings, weights or seed"):
            synthesize_people(table, str(out), seed=seed, **micro)
    synthesize_people(people, str(out), **micro)  # the same call is no other
    assert {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        synthesize_people(people, str(tmp_path / "mine"), **micro)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a,woman,40,165,60"], "people.csv: a: sex is 'woman'"),
        (["a,female,40,-165,60"], "a: height_cm is -165"),
        (["a,female,forty,165,60"], "a: age_years is 'forty'"),
        (["../a,female,40,165,60"], "subject id '../a'"),
        (["a,female,40,165,60", "a,male,40,165,60"], "subject 'a' stands twice"),
        ([",female,40,165,60"], "every person needs a subject_id"),
        ([], "one person at least"),
    ],
)
def test_a_wrong_person_is_named_and_nothing_is_made(micro, tmp_path, rows, words):
    people = write(tmp_path / "people.csv", *rows)
    with pytest.raises(InputError, match=words):
        synthesize_people(people, str(tmp_path / "cohort"), **micro)
    assert not (tmp_path / "cohort").exists()


def test_absent_table_column_or_weights_are_named(micro, tmp_path):
    with pytest.raises(InputError, match="no such table of people"):
        synthesize_people("absent.csv", str(tmp_path / "cohort"), **micro)
    (tmp_path / "narrow.csv").write_text("subject_id,sex\na,male\n")
    with pytest.raises(InputError, match="missing column age_years, height_cm, weight_kg; it has subject_id, sex"):
        synthesize_people(str(tmp_path / "narrow.csv"), str(tmp_path / "cohort"), **micro)
    people = write(tmp_path / "people.csv", "a,female,40,165,60")
    with pytest.raises(InputError, match="image_autoencoder.safetensors: no such weights"):
        synthesize_people(people, str(tmp_path / "c"), profile=micro["profile"], models=str(tmp_path))


def test_those_who_taught_are_the_phantoms_for_training_and_the_more(micro_profile):
    config = micro_profile.cohort.model_copy(update={"n_people": 8, "n_more": 5, "test_fraction": 0.25})
    taught = taught_attributes(config, seed=0)
    assert len(taught) == 6 + 5 and list(taught) == ["sex", "age_years", "height_cm", "weight_kg"]
    assert not taught.equals(taught_attributes(config, seed=1))
    assert taught_attributes(config.model_copy(update={"source": "nifti"}), seed=0) is None


def test_those_who_taught_are_the_ones_of_the_cohort(tmp_path, micro_profile):
    """Drawn without their bodies, they have the very attributes of the cohort that is made."""
    from vctlib.sources.reference import make_reference

    config = micro_profile.cohort.model_copy(
        update={"n_people": 3, "n_more": 0, "test_fraction": 0.34, "grid": (32, 24, 56), "scanner": None}
    )
    cohort = make_reference(config, tmp_path / "reference", seed=2, n_workers=1)
    own = cohort.subset("train").table[["age_years", "height_cm", "weight_kg"]]
    pd.testing.assert_frame_equal(taught_attributes(config, 2)[list(own)], own.reset_index(drop=True))
