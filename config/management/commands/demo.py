"""`manage.py demo`: the whole system with pretended neighbours, for a minute or until Ctrl-C.

Web, two workers, a poller, a reclaimer, and everyone around them, each a process of its own; see config/demo.py.
"""

import os
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from config.demo import Demo, DemoFailed
from config.management.commands.make_dev_login import USERNAME, set_login
from inbox.management.base import DatabaseCommand, positive_int, positive_seconds
from inbox.monitoring.terminal import say
from inbox.worker.signals import Stop, StopNow

LINE_EVERY_S = 5.0


class Command(DatabaseCommand):
    help = (
        "Run everything for a while, with pretended neighbours feeding it, and print where to watch it. Refused unless "
        "DEBUG is on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seconds", type=positive_seconds, default=60.0, metavar="S", help="how long (default %(default)g)"
        )
        parser.add_argument("--port", type=positive_int, default=8000, metavar="P", help="of the admin (%(default)s)")
        parser.add_argument(
            "--rate", type=positive_int, default=10, metavar="N", help="intakes a second (default %(default)s)"
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Before the commands of the inbox switch it off for their process.
        if not settings.DEBUG:
            raise CommandError("demo is for development only: DEBUG is off.")
        return super().execute(*args, **options)

    def handle(self, *, seconds: float, port: int, rate: int, **options: Any) -> None:
        password = os.environ.get("DEV_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
        set_login(password)
        stop = Stop()
        stop.install()
        try:
            with Demo(port=port, rate=rate) as demo:
                say(self.stdout, f"admin     http://127.0.0.1:{port}/admin/packets/packet/")
                say(self.stdout, f"user      {USERNAME}\npassword  {password}")
                say(self.stdout, f"Runs for {seconds:g} s; Ctrl-C ends it sooner. Logs of all processes: {demo.log}\n")
                while not stop.is_asked and demo.age_s < seconds:
                    stop.wait(min(LINE_EVERY_S, max(seconds - demo.age_s, 0.1)))
                    demo.check()
                    say(self.stdout, demo.line())
            say(self.stdout, f"\nAll processes have ended. {demo.summary()}")
        except DemoFailed as error:
            raise CommandError(str(error)) from None
        except StopNow:
            raise CommandError("Stopped at once.") from None
