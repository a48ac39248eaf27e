"""`manage.py demo`: the whole system with pretended neighbours, for a minute or until Ctrl-C.

The web, two workers, a poller, a reclaimer and the neighbours, each a process of its own; see config/demo.py.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from config.demo import DemoFailed, demo, packets_line, summary
from config.management.commands.make_dev_login import USERNAME, make_login
from inbox.management.base import DatabaseCommand, add_number, positive_int, positive_seconds, stopped_by_signals
from inbox.monitoring.terminal import say

LINE_EVERY_S = 5.0


class Command(DatabaseCommand):
    help = (
        "Run everything for a while, with pretended neighbours feeding it, and print where to watch it. Refused unless "
        "DEBUG is on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_number(parser, "--seconds", positive_seconds, 60, "how long")
        add_number(parser, "--port", positive_int, 8000, "of the admin")
        add_number(parser, "--rate", positive_int, 10, "intakes per second")

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Asked here, because DatabaseCommand turns DEBUG off.
        if not settings.DEBUG:
            raise CommandError("demo is for development only: DEBUG is off.")
        return super().execute(*args, **options)

    def handle(self, *, seconds: float, port: int, rate: int, **options: Any) -> None:
        password = make_login()
        try:
            with stopped_by_signals() as stop, demo(port=port, rate=rate) as running:
                say(self.stdout, f"admin     http://127.0.0.1:{port}/admin/packets/packet/")
                say(self.stdout, f"user      {USERNAME}\npassword  {password}")
                say(self.stdout, f"Runs for {seconds:g} s, or until Ctrl-C. Log of all processes: {running.log}\n")
                while not stop.is_asked and running.age_s < seconds:
                    stop.wait(min(LINE_EVERY_S, max(seconds - running.age_s, 0.1)))
                    running.check()
                    say(self.stdout, f"{running.age_s:4.0f} s  {packets_line()}")
        except DemoFailed as error:
            raise CommandError(str(error)) from None
        say(self.stdout, f"\nAll processes have ended. {summary()}")
