"""manage.py pretend_neighbours: the programs and people around ServiceOps, for development."""

import secrets
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError

from decisions.pretend.neighbours import Neighbours
from inbox.management.base import DatabaseCommand, positive_int
from inbox.monitoring.terminal import say
from inbox.worker.signals import Stop, StopNow

EVERY_S = 0.5


class Command(DatabaseCommand):
    help = (
        "Pretend to be Integration, staff, ClinicalOps and esMD until SIGTERM or SIGINT: send intakes, approve and "
        "dismiss, answer, acknowledge. For development: it decides on every new packet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rate", type=positive_int, default=10, metavar="N", help="intakes a second (default %(default)s)"
        )
        parser.add_argument("--seed", type=int, metavar="S", help="the same seed makes the same choices")

    def handle(self, *, rate: int, seed: int | None, **options: Any) -> None:
        stop = Stop()
        stop.install()
        neighbours = Neighbours(secrets.randbelow(2**32) if seed is None else seed)
        owed = 0.0
        try:
            while not stop.is_asked:
                owed += rate * EVERY_S
                try:
                    neighbours.act(int(owed))
                    owed -= int(owed)
                except OperationalError as error:
                    self.stderr.write(f"the database refused ({type(error).__name__}); trying again")
                stop.wait(EVERY_S)
        except StopNow:
            raise CommandError("Stopped at once.") from None
        say(self.stdout, ", ".join(f"{count:,} {what}" for what, count in neighbours.counts.items() if count))
