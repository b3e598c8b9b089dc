import pytest

from vctlib.files import written_whole


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
