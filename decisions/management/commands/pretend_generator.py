"""manage.py pretend_generator: a JSON Generator for development, on loopback, that misbehaves on request."""

import random
from typing import Any

from django.core.management.base import CommandError, CommandParser

from decisions.pretend.behaviour import Behaviour
from decisions.pretend.generator import Generator
from inbox.management.base import DatabaseCommand, positive_seconds
from inbox.monitoring.terminal import say
from inbox.worker.signals import Stop
from packets.management.commands.load_samples import percentage

MISBEHAVIOURS = [behaviour for behaviour in Behaviour if behaviour is not Behaviour.ACCEPT]


class Command(DatabaseCommand):
    help = (
        "Pretend to be the JSON Generator, at http://127.0.0.1:PORT, until SIGTERM or SIGINT: take each idempotency "
        "key once, and write its payload. GET /counts returns how many requests it took. For development and tests."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8100, help="0 takes a free one (default %(default)s)")
        for behaviour in MISBEHAVIOURS:
            name = behaviour.replace("_", "-")
            parser.add_argument(
                f"--{name}", type=percentage, default=0.0, metavar="PERCENT", help=f"requests that {name}"
            )
        parser.add_argument("--late-by", type=positive_seconds, default=1.0, metavar="S", help="how late LATE is")
        parser.add_argument("--random-seed", type=int, metavar="N", help="the same N misbehaves the same way")

    def handle(self, *args: Any, **options: Any) -> None:
        shares = [options[behaviour.value] for behaviour in MISBEHAVIOURS]
        if sum(shares) > 100:
            raise CommandError("the shares must not exceed 100 percent", returncode=2)
        stop = Stop()
        stop.install()
        chance = random.Random(options["random_seed"])  # noqa: S311 not a secret
        behaviours, weights = [*MISBEHAVIOURS, Behaviour.ACCEPT], [*shares, 100 - sum(shares)]
        with Generator(
            port=options["port"],
            otherwise=lambda: chance.choices(behaviours, weights)[0],
            late_s=options["late_by"],
        ) as generator:
            say(self.stdout, f"JSON_GENERATOR_BASE_URL={generator.url}")
            while not stop.is_asked:
                stop.wait(60)
