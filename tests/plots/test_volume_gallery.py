"""Bodies to turn round: the scripts carry the body, in its place, and are small enough; the list tells the truth."""

import base64
import gzip
import json
import re

import matplotlib.image
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from vctlib.anatomy import PAPER16, ids_of
from vctlib.cohort import CohortInfo, CohortWriter
from vctlib.errors import InputError
from vctlib.plots.style import label_colours
from vctlib.plots.volume_gallery import save_volumes, volume_script

(LIVER,) = ids_of(PAPER16, "liver")


def carried(script):
    """The volumes that a script hands to the page, by kind, and the name it hands them under."""
    found = re.fullmatch(r'\(globalThis\.vctVolumes \?\?= \{\}\)\["([\w-]+)"\] = (\{.*\});\n', script)
    packed = {kind: gzip.decompress(base64.b64decode(text)) for kind, text in json.loads(found[2]).items()}
    return found[1], {kind: nib.Nifti1Image.from_bytes(volume) for kind, volume in packed.items()}


def make_cohort(folder, spacing_mm=(16.0, 16.0, 16.0), grid=(24, 16, 40), people=("thin", "wide")):
    """People of 50 HU in air, the second wider, each with a liver of 100 HU; one body a person."""
    about = {"name": "gallery", "kind": "synthetic", "source": "blocks", "code_version": "0", "seed": 0}
    info = CohortInfo(spacing_mm=spacing_mm, grid=grid, labels=dict(PAPER16), **about)
    writer, affine = CohortWriter(folder, info), np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = -100, 20, 7
    x, y, z = grid
    for number, person in enumerate(people):
        hu, labels = np.full(grid, -1000, np.int16), np.zeros(grid, np.uint8)
        hu[x // 3 - number : x * 2 // 3, y // 4 : y * 3 // 4, z // 10 : z * 9 // 10] = 50
        liver = (slice(x // 2, x * 2 // 3 - 1), slice(y // 3, y // 2), slice(z // 2, z * 3 // 5))
        hu[liver], labels[liver] = 100, LIVER
        row = {"sex": "female", "age_years": 40.0, "height_cm": 165.0, "weight_kg": 60.0, "split": "gallery"}
        writer.add(f"{person}-s0", row | {"reference_id": person}, hu, labels, affine)
    return writer.finish([f"{person}-s0" for person in people])


def asked(cohort, **columns):
    table = cohort.table.set_index("reference_id").assign(build="medium", flag="known")
    return table.assign(**columns)


def read(folder, person):
    return carried((folder / f"{person}.js").read_text())[1]


def test_a_script_carries_hu_within_two_and_labels_exactly():
    rng = np.random.default_rng(0)
    hu, labels = rng.uniform(-1024, 3071, (6, 7, 8)), rng.integers(0, 17, (6, 7, 8))
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -20, 5, 7
    name, volumes = carried(volume_script("female-25-slim", hu, labels, affine))
    assert name == "female-25-slim" and list(volumes) == ["ct", "labels"]
    assert np.abs(np.asarray(volumes["ct"].dataobj) - hu).max() <= 2.001
    np.testing.assert_array_equal(np.asarray(volumes["labels"].dataobj), labels)
    for volume in volumes.values():
        np.testing.assert_allclose(volume.affine, affine)
        assert volume.header.get_xyzt_units()[0] == "mm"


def test_too_large_a_volume_is_refused_before_anything_is_written(tmp_path):
    noise = np.random.default_rng(0).integers(-1000, 1000, (40, 40, 40))
    with pytest.raises(InputError, match=r"a: its volume takes 0\.\d\d MB of a page, more than 0.05; average it"):
        volume_script("a", noise, noise > 0, np.eye(4), most_bytes=50_000)
    cohort = make_cohort(tmp_path / "cohort")
    (tmp_path / "volumes").mkdir()
    with pytest.raises(InputError, match="thin: its volume takes"):
        save_volumes(tmp_path / "volumes", asked(cohort), cohort, most_bytes=500)
    assert not list((tmp_path / "volumes").iterdir())


def test_a_name_cannot_be_code():
    with pytest.raises(InputError, match="letters, digits"):
        volume_script('"];alert(1)//', np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), np.eye(4))


def test_everybody_is_cut_to_one_box_and_stays_in_place(tmp_path):
    cohort = make_cohort(tmp_path / "cohort")
    save_volumes(tmp_path / "volumes", asked(cohort), cohort)
    for person in ("thin", "wide"):
        hu, affine = cohort.ct(f"{person}-s0")
        volumes = read(tmp_path / "volumes", person)
        cut = np.asarray(volumes["ct"].dataobj)
        assert cut.shape == read(tmp_path / "volumes", "thin")["ct"].shape and cut.size < hu.size
        for threshold in (0, 75):  # the body, and the liver alone
            ours, theirs = np.argwhere(cut > threshold), np.argwhere(hu > threshold)
            np.testing.assert_allclose(
                nib.affines.apply_affine(volumes["ct"].affine, ours), nib.affines.apply_affine(affine, theirs)
            )
        np.testing.assert_array_equal(np.asarray(volumes["labels"].dataobj) == LIVER, cut > 75)


def test_the_list_says_who_there_is_and_which_structures(tmp_path):
    cohort = make_cohort(tmp_path / "cohort")
    people = asked(cohort, flag=["known", "extrapolation"], build=["slim", "heavy"])
    *_, path = save_volumes(tmp_path / "volumes", people, cohort)
    listed = json.loads(path.read_text())
    assert [person["id"] for person in listed["people"]] == ["thin", "wide"]
    assert listed["people"][0]["title"] == "female, 40 years, slim, 165 cm, 60 kg"
    assert listed["people"][1]["title"] == "female, 40 years, heavy, 165 cm, 60 kg, extrapolation"
    assert listed["structures"] == [{"number": LIVER, "name": "liver", "colour": label_colours(PAPER16)[LIVER]}]
    soft_tissue = {"name": "soft tissue", "range": "\N{MINUS SIGN}160 to 240 HU", "low": -160, "high": 240}
    assert soft_tissue in listed["windows"]
    for person in listed["people"]:
        assert np.asarray(read(path.parent, person["id"])["ct"].dataobj)[tuple(person["centre"])] > 0
        still = matplotlib.image.imread(path.parent / person["still"])
        x, y, z = read(path.parent, person["id"])["ct"].shape
        assert still.shape[:2] == (z, x + y + x)  # coronal, sagittal, radiograph
        assert matplotlib.image.imread(path.parent / person["small"]).shape[:2] == (z, x)
        liver = 0.6 * (100 + 250) / 700 + 0.4 * np.array(to_rgb(label_colours(PAPER16)[LIVER]))  # over its grey
        assert np.isclose(still[..., :3], liver, atol=1 / 255).all(axis=2).any()


def test_the_same_people_make_the_same_files_and_nobody_elses_stay(tmp_path):
    cohort, folder = make_cohort(tmp_path / "cohort"), tmp_path / "volumes"
    first = {path: path.read_bytes() for path in save_volumes(folder, asked(cohort), cohort)}
    assert {path: path.read_bytes() for path in save_volumes(folder, asked(cohort), cohort)} == first
    one = save_volumes(folder, asked(cohort).loc[["wide"]], cohort)
    assert set(folder.iterdir()) == set(one) and not (folder / "thin.js").exists()


def test_finer_voxels_are_averaged_to_those_that_a_page_can_afford(tmp_path):
    cohort = make_cohort(tmp_path / "cohort", spacing_mm=(4.0, 4.0, 2.0), grid=(48, 32, 160), people=("one",))
    save_volumes(tmp_path / "volumes", asked(cohort), cohort)
    volumes = read(tmp_path / "volumes", "one")
    hu, labels = (np.asarray(volumes[kind].dataobj) for kind in ("ct", "labels"))
    np.testing.assert_allclose(np.diag(volumes["ct"].affine)[:3], 8)
    assert set(np.unique(labels)) == {0, LIVER}
    original = cohort.ct("one-s0")[0]
    litres = (original + 1000).sum() * 32e-6, (hu.astype(float) + 1000).sum() * 512e-6
    assert litres[1] == pytest.approx(litres[0], rel=0.02)  # no mass is lost


def test_somebody_without_a_body_is_named(tmp_path):
    cohort = make_cohort(tmp_path / "cohort")
    more = pd.concat([asked(cohort), asked(cohort).iloc[:1].rename(index={"thin": "nobody"})])
    with pytest.raises(InputError, match="has no body of nobody"):
        save_volumes(tmp_path / "volumes", more, cohort)
