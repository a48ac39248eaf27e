"""The embedded PostgreSQL after a crash: what a killed server or command leaves behind harms nobody."""

import fcntl
import os
import shutil
import signal

import psutil
import psycopg
import pytest

from config.embedded_postgres.programs import DevDbError
from config.embedded_postgres.server import Server
from tests.support.embedded_server import ask, is_alive, leave_stale_lock_files, postmaster, waits_for
from tests.support.probe import wait_until


def test_a_killed_server_starts_again_with_its_data(server):
    server.start()
    ask(server, "CREATE TABLE kept AS SELECT 42 AS number")
    with psycopg.connect(server.url(), autocommit=True):
        os.kill(postmaster(server), signal.SIGKILL)
        assert server.start() is True
    assert ask(server, "SELECT number FROM kept") == 42


def test_a_busy_backend_of_a_killed_server_does_not_block_the_next_start(server, monkeypatch):
    monkeypatch.setattr("config.embedded_postgres.server.ORPHANS_LEAVE_WITHIN_S", 0.5)
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        # A loop that never waits does not notice that its postmaster has died.
        connection.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
        wait_until(lambda: ask(server, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %'") == 1)
        backend = psutil.Process(connection.info.backend_pid)
        os.kill(postmaster(server), signal.SIGKILL)
        assert server.start() is True
        assert not is_alive(backend)
        connection.pgconn.finish()


def test_a_stale_pid_file_that_names_another_program_does_not_stop_the_start(server, other_program):
    leave_stale_lock_files(server, other_program.pid)
    assert server.start() is True
    assert ask(server, "SELECT 1") == 1
    assert other_program.poll() is None


def test_stop_leaves_another_program_alone_whose_pid_is_in_the_stale_pid_file(server, other_program):
    leave_stale_lock_files(server, other_program.pid)
    assert server.stop() is False
    with pytest.raises(DevDbError, match="No server runs"):
        server.restart()
    assert server.status()["pid"] == "-"
    assert other_program.poll() is None


def test_stop_leaves_another_projects_server_alone_whose_pid_is_in_the_stale_pid_file(server, tmp_path):
    server.start()
    (tmp_path / "other").mkdir()
    other = Server(tmp_path / "other" / ".postgres")
    try:
        other.start()
        other.stop()
        leave_stale_lock_files(other, postmaster(server))
        assert other.stop() is False
        assert other.start() is True
        assert ask(server, "SELECT 1") == 1
    finally:
        other.stop()
        shutil.rmtree(other.socket_dir, ignore_errors=True)


def test_an_empty_pid_file_of_a_crash_does_not_stop_the_start(server):
    server.start()
    server.stop()
    (server.data / "postmaster.pid").touch()
    assert server.start() is True


def test_a_cluster_that_was_killed_in_the_making_is_made_again(server, child_that_starts):
    child = child_that_starts(start_new_session=True)
    child.stdin.write("\n")
    child.stdin.flush()
    wait_until(lambda: list(server.home.glob("new-*/global")))
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    assert not server.data.exists()
    assert server.start() is True
    assert ask(server, "SELECT 1") == 1


def test_a_lock_that_was_removed_while_a_command_waited_for_it_is_not_used(server, child_that_starts):
    server.home.mkdir(mode=0o700)
    with (server.home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        child = child_that_starts()
        child.stdin.write("\n")
        child.stdin.flush()
        wait_until(lambda: waits_for(child, lock))
        shutil.rmtree(server.home)
        server.home.mkdir(mode=0o700)
        with (server.home / "lock").open("w") as new_lock:
            fcntl.flock(new_lock, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_UN)
            wait_until(lambda: waits_for(child, new_lock))
        assert child.communicate()[0] == "True\n"


@pytest.mark.parametrize("name", [".postgres", "long" * 30])
def test_a_folder_removed_under_its_server_is_made_anew_and_the_old_server_ends(tmp_path, name):
    server = Server(tmp_path / name)
    try:
        server.start()
        old = psutil.Process(postmaster(server))
        ask(server, "CREATE TABLE lost ()")
        shutil.rmtree(server.home)
        assert server.start() is True
        assert not is_alive(old)
        assert ask(server, "SELECT to_regclass('lost') IS NULL") is True
    finally:
        server.stop()
