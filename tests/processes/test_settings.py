"""Settings come from the environment; a wrong one is an error that says what to do."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.project import PROJECT, manage


def test_no_database_url_without_debug_is_a_clear_error():
    code, out, err = manage("check", SECRET_KEY="x")
    assert code == 1
    assert err.startswith("manage.py: DATABASE_URL is not set.")
    assert "DEBUG=on" in err
    assert "Traceback" not in err


def test_a_database_url_that_is_none_is_a_clear_error():
    code, out, err = manage("check", SECRET_KEY="x", DATABASE_URL="foo")
    assert code == 1
    assert err.startswith("manage.py: DATABASE_URL is no database address")


def test_no_secret_key_is_a_clear_error():
    code, out, err = manage("check", DEBUG="on")
    assert code == 1
    assert "SECRET_KEY is not set" in err
    assert "Traceback" not in err


def test_sqlite_is_refused_by_a_system_check(tmp_path):
    code, out, err = manage("check", SECRET_KEY="x", DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3")
    assert code == 1
    assert "inbox.E001" in err
    assert "needs PostgreSQL" in err


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("INBOX_BATCH_SIZE", "0", "a whole number of at least 1"),
        ("INBOX_BATCH_SIZE", "many", "a whole number of at least 1"),
        ("INBOX_STALE_AFTER", "1e12", "a number of seconds above 0"),
        ("INBOX_POLL_INTERVAL", "-1", "a number of seconds above 0"),
        ("INBOX_BACKOFF", "60,soon", "numbers of seconds above 0 with commas between"),
        ("DB_CLIENT_DEADLINE", "0", "a number of seconds above 0"),
        ("DEBUG", "maybe", "on or off"),
        ("JSON_GENERATOR_BASE_URL", "generator:8080", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_BASE_URL", "ftp://generator", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_BASE_URL", "http://", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_BASE_URL", "http://generator:port", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_BASE_URL", "https://generator?x=1", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_TOTAL_TIMEOUT", "0", "a number of seconds above 0"),
    ],
)
def test_a_wrong_value_names_the_setting_and_what_it_takes(name, value, takes):
    code, out, err = manage("check", **{"SECRET_KEY": "x", "DEBUG": "on", name: value})
    assert code == 1
    assert f"{name} is {value!r}, but it takes {takes}" in err
    assert "Traceback" not in err


def test_the_address_of_the_generator_may_have_a_slash_at_its_end():
    script = "from django.conf import settings; print(settings.JSON_GENERATOR_BASE_URL)"
    url = "https://generator.example:8443/base/"
    code, out, err = manage(
        "shell", "--no-imports", "-c", script, SECRET_KEY="x", DEBUG="on", JSON_GENERATOR_BASE_URL=url
    )
    assert (code, out) == (0, "https://generator.example:8443/base\n"), err


@pytest.mark.parametrize(
    ("query", "keepalives_idle", "connect_timeout"), [("", 10, 10), ("?keepalives_idle=60&connect_timeout=3", 60, 3)]
)
def test_a_dead_network_is_noticed_and_the_address_has_the_last_word(query, keepalives_idle, connect_timeout):
    script = "from django.conf import settings; import json; print(json.dumps(settings.DATABASES['default']))"
    url = f"postgresql://user@localhost/serviceops{query}"
    code, out, err = manage("shell", "--no-imports", "-c", script, SECRET_KEY="x", DATABASE_URL=url)
    database = json.loads(out)
    assert database["ENGINE"] == "config.postgresql"
    assert (
        database["OPTIONS"]
        | {
            "keepalives_idle": keepalives_idle,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25000,
            "connect_timeout": connect_timeout,
        }
        == database["OPTIONS"]
    )


def test_importing_the_settings_starts_nothing(tmp_path):
    script = "import config.settings, pathlib; print((pathlib.Path(config.settings.BASE_DIR) / '.postgres').exists())"
    copy = tmp_path / "project"
    copy.mkdir()
    for name in ("config", "inbox", "packets", "decisions"):
        (copy / name).symlink_to(PROJECT / name)
    done = subprocess.run(
        [sys.executable, "-c", script.replace("config.settings.BASE_DIR", repr(str(copy)))],
        cwd=copy,
        env={"PATH": os.environ["PATH"], "DEBUG": "on", "SECRET_KEY": "x"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "False\n", done.stderr
