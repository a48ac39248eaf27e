"""Wrong settings end a command with what to do; reading the settings starts nothing; Django finds no fault in them."""

import os
import subprocess
import sys

import pytest

from tests.support.project import PROJECT, manage

PRODUCTION = {
    "SECRET_KEY": "".join(chr(33 + number % 90) for number in range(70)),
    "DATABASE_URL": "postgresql://user@localhost/serviceops",
    "ALLOWED_HOSTS": "serviceops.example",
}


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SECRET_KEY": "x"}, "DATABASE_URL is not set."),
        ({"DEBUG": "on"}, "SECRET_KEY is not set."),
        (
            {"SECRET_KEY": "x", "DEBUG": "on", "LOG_FORMAT": "xml"},
            "LOG_FORMAT is 'xml', but it takes one of human, json.",
        ),
    ],
)
def test_a_wrong_setting_ends_a_command_with_what_to_do(environment, says):
    code, out, err = manage("check", **environment)
    assert code == 1
    assert err.startswith(f"manage.py: {says}")
    assert "Traceback" not in err


def test_sqlite_is_refused_by_a_system_check(tmp_path):
    code, out, err = manage("check", SECRET_KEY="x", DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3")
    assert code == 1
    assert "inbox.E001" in err
    assert "needs PostgreSQL" in err


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


def test_the_deployment_check_has_no_warnings():
    code, out, err = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (code, out.strip()) == (0, "System check identified no issues (0 silenced)."), err
