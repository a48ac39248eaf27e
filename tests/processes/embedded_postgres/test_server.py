"""The embedded PostgreSQL with real processes: every test has a server of its own in its own folder.

As root, pytest's folders are closed to the user whom the server runs as, which is the hard case of a checkout there.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command

from config.embedded_postgres.programs import DevDbError
from config.embedded_postgres.server import Server
from tests.support.embedded_server import ask, postmaster
from tests.support.project import PROJECT


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


def test_an_immediate_restart_brings_the_server_back(server):
    server.start()
    before = postmaster(server)
    server.restart("immediate")
    assert postmaster(server) != before
    assert ask(server, "SELECT 1") == 1


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
    """By default PostgreSQL logs a failed statement with its text and a detail."""
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
