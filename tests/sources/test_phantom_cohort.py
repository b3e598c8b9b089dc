"""Cohorts of phantoms: resuming, rejecting, centring. A sphere stands in for the phantom where its anatomy is idle."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from vctlib.anatomy import TOTAL, ids_of
from vctlib.errors import InputError
from vctlib.sources.parallel import run_in_processes
from vctlib.sources.phantom.cohort import make_phantom_cohort, subject_seeds
from vctlib.sources.phantom.phantom import Phantom
from vctlib.sources.phantom.population import draw_people
from vctlib.sources.phantom.scan_protocol import ScanProtocol
from vctlib.sources.split import assign_split

GRID, SPACING = (24, 20, 28), 16.0
ARGUMENTS = {
    "spacing_mm": SPACING,
    "grid": GRID,
    "seed": 5,
    "scanner": ScanProtocol(30, 1e6, ("sharp_140kv", "smooth_100kv")),
}


def make_sphere(person, spacing_mm: float, seed: int) -> Phantom:
    """A noisy ball, wide as the person is tall; very tall people do not fit the grid, one weight cannot be made."""
    if person.weight_kg > 110:
        raise InputError("too heavy for a ball")
    axis = np.arange(40) - 15.0
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2)
    labels = (distance < person.height_cm / 20).astype(np.uint8)
    hu = np.where(labels, 40.0, -1000.0) + np.random.default_rng(seed).normal(0, 5, labels.shape)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = -7.0, 11.0, 3.0
    return Phantom(hu.astype(np.float32), labels, affine, {"volume_voxels_true": float(labels.sum())})


def make_slow_sphere(person, spacing_mm: float, seed: int) -> Phantom:
    (Path(os.environ["WORKER_FOLDER"]) / str(os.getpid())).touch()
    time.sleep(0.15)
    return make_sphere(person, spacing_mm, seed)


def people_without_giants(n: int) -> pd.DataFrame:
    people = draw_people(n, 3)
    return people.assign(height_cm=people["height_cm"].clip(upper=180), weight_kg=people["weight_kg"].clip(upper=105))


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "cohort"
    people = people_without_giants(9)
    people.loc[4, "height_cm"] = 230 / 1.1  # a ball of more voxels than the grid's 20
    people.loc[6, "weight_kg"] = 120.0
    people.to_pickle(folder.parent / "people.pkl")
    make_phantom_cohort(folder, people, **ARGUMENTS, n_workers=1, make=make_sphere)
    return folder


@pytest.fixture(scope="module")
def people(undisturbed) -> pd.DataFrame:
    return pd.read_pickle(undisturbed.parent / "people.pkl")


def test_table_holds_people_and_truth(undisturbed, people):
    cohort = make_phantom_cohort(undisturbed, people, **ARGUMENTS, n_workers=1, make=make_sphere)
    row = cohort.table.loc["P0003"]
    assert row["height_cm"] == people.loc[2, "height_cm"]
    assert row["volume_voxels_true"] == (cohort.labels("P0003") > 0).sum()
    assert cohort.info.labels == dict(TOTAL) and cohort.info.seed == 5
    assert set(cohort.table["scanner"]) == {"sharp_140kv", "smooth_100kv"}
    assert cohort.info.source == "phantom (30 views, 1e+06 photons, sharp_140kv, smooth_100kv)"
    assert cohort.ct("P0003")[0].dtype == np.int16
    assert list(cohort.table["split"]) == ["train", "train", "train", "test", "train", "test", "train"]


def test_body_lies_in_the_middle_and_keeps_its_place_in_space(undisturbed, people):
    cohort = make_phantom_cohort(undisturbed, people, **ARGUMENTS, n_workers=1, make=make_sphere)
    hu, affine = cohort.ct("P0001")
    centre = np.argwhere(cohort.labels("P0001") > 0).mean(axis=0)
    np.testing.assert_allclose(centre, (np.array(GRID) - 1) / 2, atol=0.51)
    np.testing.assert_allclose(affine[:3, :3] @ centre + affine[:3, 3], 15 * SPACING + np.array([-7, 11, 3]), atol=1e-3)
    assert abs(hu[cohort.labels("P0001") > 0].mean() - 40) < 60 and hu[0, 0, 0] == -1000


def test_who_does_not_fit_is_recorded_and_never_cut(undisturbed):
    rejected = pd.read_csv(undisturbed / "rejected.csv", index_col="subject_id")
    assert list(rejected.index) == ["P0005", "P0007"]
    too_large, too_heavy = rejected["reason"]
    assert "21 x 21 x 21 voxels" in too_large and "24 x 20 x 28" in too_large
    assert too_heavy == "too heavy for a ball"
    assert not (undisturbed / "ct" / "P0005.nii.gz").exists()


def test_several_processes_make_the_same_files(undisturbed, people, tmp_path):
    make_phantom_cohort(tmp_path / "cohort", people, **ARGUMENTS, n_workers=2, make=make_sphere)
    assert hashes(tmp_path / "cohort") == hashes(undisturbed)


def test_stopping_for_time_and_going_on_makes_the_same_files(undisturbed, people, tmp_path):
    folder = tmp_path / "cohort"
    for _ in range(len(people)):
        try:
            make_phantom_cohort(folder, people, **ARGUMENTS, n_workers=1, make=make_sphere, max_minutes=0)
            break
        except TimeoutError as error:
            assert "goes on from there" in str(error)
            assert not (folder / "cohort.json").exists()
    assert hashes(folder) == hashes(undisturbed)


def test_an_error_in_between_leaves_what_is_whole(undisturbed, people, tmp_path):
    made = []

    def fails_at_the_fourth(person, spacing_mm, seed):
        made.append(person)
        if len(made) == 4:
            raise MemoryError
        return make_sphere(person, spacing_mm, seed)

    folder = tmp_path / "cohort"
    with pytest.raises(MemoryError):
        make_phantom_cohort(folder, people, **ARGUMENTS, n_workers=1, make=fails_at_the_fourth)
    assert len(list((folder / "rows").iterdir())) == 3 and not (folder / "cohort.json").exists()
    make_phantom_cohort(folder, people, **ARGUMENTS, n_workers=1, make=make_sphere)
    assert hashes(folder) == hashes(undisturbed)


def test_killed_and_resumed_makes_the_same_files(undisturbed, people, tmp_path):
    """SIGKILL in the midst of two workers: they end too, nothing half-written stays, the rest is made later."""
    folder, workers = tmp_path / "cohort", tmp_path / "workers"
    workers.mkdir()
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import pandas, test_phantom_cohort as t\n"
        f"people = pandas.read_pickle({str(undisturbed.parent / 'people.pkl')!r})\n"
        f"t.make_phantom_cohort({str(folder)!r}, people, **t.ARGUMENTS, n_workers=2, make=t.make_slow_sphere)"
    )
    environment = os.environ | {"WORKER_FOLDER": str(workers)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while len(list(folder.glob("rows/P*.json"))) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (folder / "cohort.json").exists() and 3 <= len(list(folder.glob("rows/P*.json"))) < 7
    pids = [int(path.name) for path in workers.iterdir()]
    assert len(pids) == 2
    while any(is_alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(is_alive(pid) for pid in pids)
    (folder / ".rejected.csv.1.tmp").touch()  # what a kill in the midst of writing may leave
    make_phantom_cohort(folder, people, **ARGUMENTS, n_workers=1, make=make_sphere)
    assert hashes(folder) == hashes(undisturbed)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended but that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_another_table_or_setting_is_refused(undisturbed, people):
    others = people.assign(weight_kg=people["weight_kg"] + 1)
    with pytest.raises(InputError, match="other people"):
        make_phantom_cohort(undisturbed, others, **ARGUMENTS, n_workers=1, make=make_sphere)
    with pytest.raises(InputError, match="other people, settings"):
        make_phantom_cohort(undisturbed, people, **(ARGUMENTS | {"scanner": None}), n_workers=1, make=make_sphere)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda people: people.drop(columns="sex"), "no column 'sex'"),
        (lambda people: people.drop(columns="subject_id"), "no column 'subject_id'"),
        (lambda people: people.assign(subject_id="P0001"), "stands twice"),
        (lambda people: people.assign(subject_id=[f"../{i}" for i in range(len(people))]), "letters, digits"),
        (lambda people: people.assign(weight_kg=-1.0), "P0001.*weight_kg"),
    ],
)
def test_bad_tables_are_refused_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        make_phantom_cohort(tmp_path / "cohort", change(people_without_giants(3)), **ARGUMENTS, make=make_sphere)
    assert not list(tmp_path.iterdir())


def test_true_phantoms_fill_the_smallest_grid(tmp_path):
    """Two people at 16 mm, scanned: deep fat is near -100 HU, muscle above 0, lungs dark; the truth is the target."""
    people = draw_people(2, 0)
    cohort = make_phantom_cohort(
        tmp_path / "cohort", people, spacing_mm=16.0, grid=(48, 32, 128), seed=0, scanner=ScanProtocol(60, 2e6)
    )
    assert cohort.subjects == ["P0001", "P0002"]
    for subject_id, row in cohort.table.iterrows():
        hu, labels = cohort.ct(subject_id)[0], cohort.labels(subject_id)
        assert row["body_fat_percent_true"] == pytest.approx(row["body_fat_percent_target"], abs=0.5)
        assert -130 < np.median(hu[labels == ids_of(TOTAL, "torso_fat")[0]]) < -60
        assert 0 < np.median(hu[labels == ids_of(TOTAL, "skeletal_muscle")[0]]) < 70
        assert np.median(hu[np.isin(labels, ids_of(TOTAL, "lung_lower_lobe_left"))]) < -500
        height = np.ptp(np.flatnonzero((labels > 0).any(axis=(0, 1)))) * 16 / 10
        assert row["height_cm"] - 4 < height < row["height_cm"] + 12  # lying down, the toes point away


def test_seeds_belong_to_the_subject():
    assert subject_seeds(1, "P0001") == subject_seeds(1, "P0001")
    assert len({subject_seeds(seed, subject) for seed in (1, 2) for subject in ("P0001", "P0002")}) == 4


def test_split_is_even_and_only_grows():
    assert assign_split(8, 0.25) == ["train", "train", "train", "test"] * 2
    assert assign_split(30, 0.1)[:12] == assign_split(12, 0.1)
    assert assign_split(1000, 0.3).count("test") == 300
    assert set(assign_split(5, 0)) == {"train"} and set(assign_split(5, 1)) == {"test"}
    with pytest.raises(InputError):
        assign_split(3, 1.5)


def _square(number: int) -> int:
    if number < 0:
        os._exit(9)
    return number**2


def _blas_threads(_) -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("n_items", [1, 2])
def test_linear_algebra_has_one_thread_wherever_the_work_is_done(n_items):
    """The last digits of a phantom depend on the number: a person who is alone left over must come out the same."""
    with threadpool_limits(2, user_api="blas"):
        assert all(threads == {1} for _, threads in run_in_processes(_blas_threads, range(n_items), n_workers=2))
        assert _blas_threads(None) == {2}


def test_processes_return_every_item_and_report_a_killed_worker():
    assert sorted(run_in_processes(_square, range(9), n_workers=3)) == [(i, i * i) for i in range(9)]
    assert len(list(run_in_processes(_square, range(9), n_workers=3, deadline=time.monotonic() - 1))) == 3
    with pytest.raises(RuntimeError, match="fewer workers"):
        list(run_in_processes(_square, [1, -1, 2], n_workers=2))


def test_rows_on_disk_are_plain_json(undisturbed):
    row = json.loads((undisturbed / "rows" / "P0001.json").read_text())
    assert row["sex"] in ("female", "male") and "subject_id" not in row and row["split"] == "train"
