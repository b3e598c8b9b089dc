"""Measuring a cohort on disk, in one process and in several."""

import numpy as np
import pandas as pd
import pytest

from vctlib.anatomy import TOTAL
from vctlib.cohort import CohortInfo, CohortWriter
from vctlib.errors import InputError
from vctlib.measure import measure_body
from vctlib.measure.cohort import measure_cohort


def write_cohort(path, bodies, with_labels=True):
    hu, _, affine = next(iter(bodies.values()))
    labels = dict(TOTAL) if with_labels else None
    info = CohortInfo(
        name="figures", kind="reference", spacing_mm=(8, 8, 8), grid=hu.shape, labels=labels, source="test",
        code_version="0", seed=0,
    )  # fmt: skip
    writer = CohortWriter(path, info)
    for name, (image, label_map, _) in bodies.items():
        row = {"sex": "male", "age_years": 40, "height_cm": 172, "weight_kg": 60, "split": "train"}
        writer.add(name, row, image, label_map if with_labels else None, affine)
    return writer.finish(list(bodies))


@pytest.fixture(scope="module")
def bodies(figure):
    return {f"s{i}": figure.draw(figure.standing(left={"bend_degrees": 10.0 * i})) for i in range(3)}


def test_rows_equal_single_measurements_in_any_number_of_processes(bodies, tmp_path):
    cohort = write_cohort(tmp_path, bodies)
    alone = measure_cohort(cohort, processes=1, progress=False)
    expected = pd.DataFrame(
        [measure_body(hu, lab, TOTAL, affine) for hu, lab, affine in bodies.values()], cohort.subjects
    )
    pd.testing.assert_frame_equal(alone, expected.rename_axis("subject_id"))
    pd.testing.assert_frame_equal(measure_cohort(cohort, processes=2, progress=False), alone)
    wider = cohort.add_columns(alone)
    assert wider.table.loc["s0", "height_cm_measured"] == pytest.approx(172.0, abs=0.1)


def test_rows_keep_the_cohorts_order(bodies, tmp_path, monkeypatch):
    """Processes finish in any order; here the last body comes first."""
    cohort = write_cohort(tmp_path, bodies)
    alone = measure_cohort(cohort, processes=1, progress=False)
    monkeypatch.setattr(
        "vctlib.measure.cohort.run_in_processes", lambda work, items, n_workers: [(i, work(i)) for i in items[::-1]]
    )
    pd.testing.assert_frame_equal(measure_cohort(cohort, progress=False), alone)


def test_another_table_may_be_given(bodies, tmp_path):
    """A segmenter's numbers under their own table: here the same labels, all moved up by one."""
    moved = {
        name: (hu, np.where(lab > 0, lab + 1, 0).astype(np.uint8), affine) for name, (hu, lab, affine) in bodies.items()
    }
    table = {number + 1: name for number, name in TOTAL.items()}
    found = measure_cohort(write_cohort(tmp_path / "a", moved), table=table, processes=1, progress=False)
    known = measure_cohort(write_cohort(tmp_path / "b", bodies), processes=1, progress=False)
    pd.testing.assert_frame_equal(found, known)


def test_without_labels_and_without_body(bodies, tmp_path):
    with pytest.raises(InputError, match="no label maps"):
        measure_cohort(write_cohort(tmp_path / "a", bodies, with_labels=False), progress=False)
    hu, labels, affine = bodies["s0"]
    empty = {"s0": bodies["s0"], "s7": (np.full_like(hu, -1000), np.zeros_like(labels), affine)}
    with pytest.raises(InputError, match="subject s7: the volume holds no body"):
        measure_cohort(write_cohort(tmp_path / "b", empty), processes=1, progress=False)
