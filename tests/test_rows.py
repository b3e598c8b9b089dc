import pytest

from vctlib.rows import resumable_table


def test_rows_are_made_once_and_kept_in_order(tmp_path):
    made = []

    def make(subject_id):
        made.append(subject_id)
        if subject_id == "C" and len(made) == 3:
            raise KeyboardInterrupt
        return {"value": len(subject_id)}

    with pytest.raises(KeyboardInterrupt):
        resumable_table(tmp_path / "t", ["B", "A", "C"], make, key="k", label="x")
    frame = resumable_table(tmp_path / "t", ["B", "A", "C"], make, key="k", label="x")
    assert made == ["B", "A", "C", "C"] and list(frame.index) == ["B", "A", "C"]


def test_another_key_starts_afresh(tmp_path):
    resumable_table(tmp_path / "t", ["A"], lambda s: {"v": 1}, key="one", label="x")
    frame = resumable_table(tmp_path / "t", ["A"], lambda s: {"v": 2}, key="two", label="x")
    assert frame.loc["A", "v"] == 2
