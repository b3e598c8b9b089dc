import pytest

from vctlib import files
from vctlib.files import code_sha256, written_whole


@pytest.mark.parametrize("several_writers", [False, True])
def test_old_content_or_new_and_nothing_beside_it(tmp_path, several_writers):
    path = tmp_path / "folder" / "a.txt"
    with written_whole(path, several_writers=several_writers) as temporary:
        temporary.write_text("one")
        assert not path.exists()
    with pytest.raises(KeyboardInterrupt), written_whole(path, several_writers=several_writers) as temporary:
        temporary.write_text("half of tw")
        raise KeyboardInterrupt
    assert path.read_text() == "one" and list(path.parent.iterdir()) == [path]


def test_what_a_kill_left_is_written_over(tmp_path):
    path = tmp_path / "a.txt"
    with written_whole(path) as temporary:
        leftover = temporary
        temporary.write_text("one")
    leftover.write_text("half, and longer than what follows")
    with written_whole(path) as temporary:
        temporary.write_text("two")
    assert path.read_text() == "two" and list(tmp_path.iterdir()) == [path]


def test_code_is_known_by_every_file_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "REPOSITORY", tmp_path)
    (tmp_path / "vctlib" / "networks").mkdir(parents=True)
    paths = [tmp_path / "vctlib" / name for name in ("networks/a.py", "networks/b.py", "anatomy.py", "trial.py")]
    for path in paths:
        path.write_text("one")
    before = code_sha256("networks", "anatomy")
    assert before == code_sha256("anatomy", "networks") != code_sha256("networks")
    paths[3].write_text("two")
    assert code_sha256("networks", "anatomy") == before
    for path in paths[:3]:
        path.write_text("two")
        before, earlier = code_sha256("networks", "anatomy"), before
        assert before != earlier
