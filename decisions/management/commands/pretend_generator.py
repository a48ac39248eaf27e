"""manage.py pretend_generator: a JSON Generator for development, on loopback, that misbehaves on request."""

import random
from typing import Any

from django.core.management.base import CommandError, CommandParser

from decisions.pretend.behaviour import Behaviour
from decisions.pretend.generator import Generator
from inbox.management.base import (
    DatabaseCommand,
    add_number,
    percentage,
    positive_seconds,
    stopped_by_signals,
    whole_number,
)
from inbox.monitoring.terminal import say

MISBEHAVIOURS = [behaviour for behaviour in Behaviour if behaviour is not Behaviour.ACCEPT]


class Command(DatabaseCommand):
    help = (
        "Pretend to be the JSON Generator, at http://127.0.0.1:PORT, until SIGTERM or SIGINT: take each idempotency "
        "key once, and write its payload. GET /counts returns how many requests it took. For development and tests."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_number(parser, "--port", whole_number, 8100, "0 takes a free one")
        for behaviour in MISBEHAVIOURS:
            name = behaviour.replace("_", "-")
            add_number(parser, f"--{name}", percentage, 0, f"requests that {name}")
        add_number(parser, "--late-by", positive_seconds, 1, "how late LATE is")
        parser.add_argument("--random-seed", type=whole_number, metavar="N", help="the same N misbehaves the same way")

    def handle(self, *args: Any, **options: Any) -> None:
        shares = [options[behaviour.value] for behaviour in MISBEHAVIOURS]
        if sum(shares) > 100:
            raise CommandError("the shares must not exceed 100 percent", returncode=2)
        chance = random.Random(options["random_seed"])  # noqa: S311 not a secret
        behaviours, weights = [*MISBEHAVIOURS, Behaviour.ACCEPT], [*shares, 100 - sum(shares)]

        def choose() -> Behaviour:
            return chance.choices(behaviours, weights)[0]

        with (
            stopped_by_signals() as stop,
            Generator(port=options["port"], otherwise=choose, late_s=options["late_by"]) as generator,
        ):
            say(self.stdout, f"JSON_GENERATOR_BASE_URL={generator.url}")
            while not stop.is_asked:
                stop.wait(60)
