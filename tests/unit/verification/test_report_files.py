"""A file of the report appears whole or not at all, and one that can't be written is refused before the work."""

import os
from pathlib import Path

import pytest

from verification.report import files
from verification.report.files import Unwritable, check_writable, write_whole


def test_a_file_is_written(tmp_path):
    path = tmp_path / "report.md"
    check_writable(path)
    write_whole(path, "é")
    assert path.read_bytes() == "é".encode()
    assert os.listdir(tmp_path) == ["report.md"]


def test_a_check_leaves_what_is_there(tmp_path):
    path = tmp_path / "report.md"
    path.write_text("old")
    check_writable(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.md"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "report.md"
    path.write_text("old")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.Path, "replace", full)
    with pytest.raises(Unwritable, match="No space left on device"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.md"]


def test_a_link_is_followed(tmp_path):
    real, link = tmp_path / "real.md", tmp_path / "link.md"
    real.write_text("old")
    link.symlink_to(real)
    write_whole(link, "new")
    assert real.read_text() == "new"
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("name", "why"),
    [("-", "is no file"), ("/no/such/folder/report.md", "No such file or directory"), ("/dev/null", "is not a file")],
)
def test_what_can_not_be_written_is_refused(name, why):
    with pytest.raises(Unwritable, match=why):
        check_writable(Path(name))


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(Unwritable, match="is not a file"):
        check_writable(tmp_path)
