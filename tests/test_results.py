import json

import pytest

from vctlib import results
from vctlib.errors import InputError


def write(path, **metrics):
    return results.write(
        path, notebook="01_x", parameters={"n": 3}, profile="smoke", seed=0, metrics=metrics, wall_seconds=1.5
    )


def test_what_is_written_is_read(tmp_path):
    source = tmp_path / "input.csv"
    source.write_text("abc")
    results.write(
        tmp_path / "r.json",
        notebook="01_x",
        parameters={},
        profile="smoke",
        seed=3,
        metrics={"mae": results.metric(1.5, "pp", 75, (1.0, 2.0))},
        inputs=[source],
    )
    result = results.read(tmp_path / "r.json")
    assert (result.metrics["mae"].value, result.metrics["mae"].ci95, result.seed) == (1.5, (1.0, 2.0), 3)
    # SHA-256 of "abc", FIPS 180-2 appendix B.1.
    assert result.inputs["input.csv"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert result.versions["python"] and result.device


def test_hardware_says_how_many_cores_were_used(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    for threads, told in (
        ("1", ", 1 of 2 cores, "),
        ("2", ", 2 cores, "),
        ("8", ", 2 cores, "),
        ("many", ", 2 cores, "),
    ):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        assert told in results.hardware()
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert ", 2 cores, " in results.hardware()


def test_not_finite_is_none_never_nan(tmp_path):
    assert results.metric(float("nan"), "pp", 0)["value"] is None
    assert results.metric(1.0, "pp", 2, (float("nan"), 2.0))["ci95"] is None
    with pytest.raises(InputError, match="finite"):
        write(tmp_path / "r.json", bad={"value": float("inf"), "unit": "pp", "n": 1})
    assert not (tmp_path / "r.json").exists()


def test_damaged_or_absent_results_are_named(tmp_path):
    with pytest.raises(InputError, match="run the notebook"):
        results.read(tmp_path / "absent.json")
    write(tmp_path / "r.json", a=results.metric(1, "kg", 1))
    content = json.loads((tmp_path / "r.json").read_text())
    del content["metrics"]["a"]["unit"]
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="metrics.a.unit"):
        results.read(tmp_path / "r.json")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    write(path, a=results.metric(1, "kg", 1))
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results.os, "replace", full)
    with pytest.raises(OSError, match="space"):
        write(path, a=results.metric(2, "kg", 1))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
