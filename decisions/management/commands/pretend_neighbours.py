"""manage.py pretend_neighbours: the programs and people around ServiceOps, for development."""

import secrets
from typing import Any

from django.core.management.base import CommandParser
from django.db import OperationalError

from decisions.pretend.neighbours import Neighbours
from inbox.management.base import DatabaseCommand, add_number, positive_int, stopped_by_signals, whole_number
from inbox.monitoring.terminal import say

EVERY_S = 0.5


class Command(DatabaseCommand):
    help = (
        "Pretend to be Integration, staff, ClinicalOps and esMD until SIGTERM or SIGINT: send intakes, approve and "
        "dismiss, answer, acknowledge. For development: it decides on every new packet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_number(parser, "--rate", positive_int, 10, "intakes per second")
        parser.add_argument("--seed", type=whole_number, metavar="S", help="the same seed makes the same choices")

    def handle(self, *, rate: int, seed: int | None, **options: Any) -> None:
        neighbours = Neighbours(secrets.randbelow(2**32) if seed is None else seed)
        owed = 0.0
        with stopped_by_signals() as stop:
            while not stop.is_asked:
                owed += rate * EVERY_S
                try:
                    neighbours.act(int(owed))
                    owed -= int(owed)
                except OperationalError as error:
                    self.stderr.write(f"the database refused ({type(error).__name__}); trying again")
                stop.wait(EVERY_S)
        say(self.stdout, ", ".join(f"{count:,} {what}" for what, count in neighbours.counts.items() if count))
