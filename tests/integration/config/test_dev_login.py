import os
import shlex
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db


@pytest.fixture
def make_dev_login(settings, monkeypatch):
    settings.DEBUG = True
    monkeypatch.delenv("DEV_ADMIN_PASSWORD", raising=False)

    def run():
        out = StringIO()
        call_command("make_dev_login", stdout=out)
        return out.getvalue()

    return run


def password_in(text):
    return next(line.split()[-1] for line in text.splitlines() if line.split()[:1] == ["password"])


def test_it_is_refused_when_debug_is_off(settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="development only"):
        call_command("make_dev_login")
    assert not User.objects.exists()


def test_it_makes_a_superuser_with_a_random_password_that_it_prints(make_dev_login):
    first, second = password_in(make_dev_login()), password_in(make_dev_login())
    assert first != second
    user = authenticate(username="admin", password=second)
    assert user
    assert user.is_superuser
    assert user.is_staff
    assert User.objects.count() == 1


def test_it_takes_the_password_of_the_environment(make_dev_login, monkeypatch):
    monkeypatch.setenv("DEV_ADMIN_PASSWORD", "from-the-environment")
    assert password_in(make_dev_login()) == "from-the-environment"
    assert authenticate(username="admin", password="from-the-environment")


def test_it_gives_an_admin_who_lost_them_the_rights_again(make_dev_login):
    User.objects.create_user("admin", password="old", is_active=False)
    user = authenticate(username="admin", password=password_in(make_dev_login()))
    assert user
    assert user.is_superuser
    assert user.is_staff
    assert not authenticate(username="admin", password="old")


def test_what_it_prints_is_aligned_and_short(make_dev_login, settings):
    settings.BASE_DIR = Path("/srv/serviceops")
    lines = make_dev_login().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert all(line[:13].strip() in ("", line[:13].rstrip()) and line[14] != " " and line[13] == " " for line in lines)
    assert any("http://127.0.0.1:8000/admin/" in line for line in lines)


def commands_in(text):
    return [line[14:] for line in text.splitlines() if line[14:].startswith("cd ")]


def test_it_names_every_command_that_a_newcomer_needs(make_dev_login, settings):
    settings.USES_EMBEDDED_DATABASE = True
    text = make_dev_login()
    for command in ("runserver", "run_inbox_worker", "inbox_status", "load_samples", "devdb stop"):
        assert any(line.endswith(f"manage.py {command}") for line in commands_in(text))
    settings.USES_EMBEDDED_DATABASE = False
    assert "devdb" not in make_dev_login()


def test_the_lines_quote_a_folder_with_spaces(make_dev_login, settings):
    settings.BASE_DIR = Path("/home/some one/it's")
    assert all(shlex.split(line)[1] == "/home/some one/it's" for line in commands_in(make_dev_login()))


def test_without_a_dot_env_it_says_how_to_make_one(make_dev_login, settings, tmp_path):
    settings.BASE_DIR = tmp_path
    assert make_dev_login().splitlines()[0].endswith("&& make .env")
    (tmp_path / ".env").touch()
    assert "make .env" not in make_dev_login()


def test_a_line_works_as_typed_in_another_folder(make_dev_login, settings, tmp_path):
    if not (settings.BASE_DIR / ".venv" / "bin" / "python").exists():
        pytest.skip("the project has no .venv here")
    lines = commands_in(make_dev_login())
    line = next(line for line in lines if line.endswith("inbox_status")) + " --help"
    environment = {"PATH": os.environ["PATH"], "DEBUG": "on", "SECRET_KEY": "x"}
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
