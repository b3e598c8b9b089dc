"""Packing OpenKBP: from CSV files as published to the very bytes that the manifest names."""

import numpy as np
import pytest

from vctlib.commands.data import convert_open_kbp
from vctlib.errors import InputError
from vctlib.manifest import load_manifest, read_index
from vctlib.sources.open_kbp_csv import INDEX, PATIENTS, REGIONS, pack_open_kbp, read_patient


def publish(folder, ct, regions, voxel_mm):
    """Write a patient as the authors do: the numbers of voxels in the order of the flattened grid, and their values."""
    folder.mkdir(parents=True)
    places = np.flatnonzero(ct)
    lines = [f"{place},{float(value)}" for place, value in zip(places, ct.flat[places], strict=True)]
    (folder / "ct.csv").write_text("\n".join([",data", *lines]) + "\n")
    for name, inside in regions.items():
        (folder / f"{name}.csv").write_text(",data\n" + "".join(f"{place},\n" for place in np.flatnonzero(inside)))
    np.savetxt(folder / "voxel_dimensions.csv", voxel_mm)


def test_published_patients_become_the_bytes_of_the_manifest(data_dir, tmp_path):
    for name in ("pt_143", "pt_170"):  # two small ones
        with np.load(data_dir / "open_kbp" / f"{name}.npz") as packed:
            seg = packed["seg"]
            regions = {region: seg == number for number, region in enumerate(REGIONS, start=1) if (seg == number).any()}
            publish(tmp_path / "kbp" / PATIENTS / name, packed["ct"], regions, packed["voxel_mm"])
    pack_open_kbp(tmp_path / "kbp", ["pt_143", "pt_170"], tmp_path / "out")
    for name in ("pt_143.npz", "pt_170.npz", "index.json"):
        assert (tmp_path / "out" / name).read_bytes() == (data_dir / "open_kbp" / name).read_bytes()
    assert not (tmp_path / "out.part").exists()


def test_the_later_region_wins_where_two_overlap_and_axes_are_not_turned(tmp_path):
    ct, esophagus, larynx = np.zeros((3, 128, 128, 128), np.uint16)
    ct[1, 2, 3], esophagus[5:8, 0, 0], larynx[7:9, 0, 0] = 1064, 1, 1
    publish(tmp_path / "a", ct, {"Esophagus": esophagus, "Larynx": larynx}, [4.0, 3.9, 2.5])
    found = read_patient(tmp_path / "a")
    assert found["ct"][1, 2, 3] == 1064 and found["ct"].sum() == 1064
    assert found["seg"][4:10, 0, 0].tolist() == [0, 5, 5, 6, 6, 0]
    assert found["voxel_mm"].dtype == np.float32 and found["voxel_mm"] == pytest.approx([4.0, 3.9, 2.5])


def test_the_index_is_the_one_of_the_manifest():
    from vctlib.files import sha256

    assert sha256(INDEX) == read_index(load_manifest()["open_kbp"])["index.json"]


def test_what_is_missing_is_said_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("VCTLIB_DATA", str(tmp_path / "data"))
    with pytest.raises(InputError, match="no folder provided-data"):
        convert_open_kbp(str(tmp_path))
    (tmp_path / PATIENTS / "pt_1").mkdir(parents=True)
    with pytest.raises(InputError, match="pt_1: not a patient of OpenKBP"):
        convert_open_kbp(str(tmp_path))
    assert not (tmp_path / "data" / "open_kbp").exists() and not list((tmp_path / "data").glob("*.part"))
    (tmp_path / "data" / "open_kbp").mkdir()
    with pytest.raises(InputError, match="is there already"):
        convert_open_kbp(str(tmp_path))
    monkeypatch.delenv("VCTLIB_DATA")
    with pytest.raises(InputError, match="set VCTLIB_DATA"):
        convert_open_kbp(str(tmp_path))
