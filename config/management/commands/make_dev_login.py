"""`manage.py make_dev_login`: the superuser of development, and what to type next. Refused unless DEBUG is on.

The password is DEV_ADMIN_PASSWORD of the environment (or `.env`), else a random one. Each call sets it again.
"""

import os
import secrets
import shlex
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from inbox.db.storable import error_text

USERNAME = "admin"


class Command(BaseCommand):
    help = "Make the superuser `admin` for development, and print what to type next. Refused unless DEBUG is on."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("make_dev_login is for development only: DEBUG is off.")
        try:
            password = make_login()
        except ProgrammingError:
            raise CommandError(f"The table of users is missing. Type: {_line('migrate')}") from None
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {error_text(error)}") from error
        self.stdout.write(_next_steps(password))


def make_login() -> str:
    """Make the superuser, or give the existing one its rights and the password, which is returned."""
    password = os.environ.get("DEV_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
    user, _ = User.objects.get_or_create(username=USERNAME)
    user.is_active = user.is_staff = user.is_superuser = True
    user.set_password(password)
    user.save()
    return password


def _next_steps(password: str) -> str:
    steps = [
        ("admin", _line("runserver")),
        ("", "then open http://127.0.0.1:8000/admin/"),
        ("", f"user      {USERNAME}"),
        ("", f"password  {password}"),
        ("worker", _line("run_inbox_worker")),
        ("status", _line("inbox_status")),
        ("more messages", _line("load_samples")),
    ]
    if settings.USES_EMBEDDED_DATABASE:
        steps.append(("stop database", _line("devdb stop")))
    if not (settings.BASE_DIR / ".env").exists():
        steps.insert(0, ("once", f"cd {shlex.quote(str(settings.BASE_DIR))} && make .env"))
    return "\n".join(f"{title:<14}{line}" for title, line in steps)


def _line(command: str) -> str:
    """A line that works in a new shell, whatever its folder."""
    return f"cd {shlex.quote(str(settings.BASE_DIR))} && .venv/bin/python manage.py {command}"
