"""manage.py load_samples: synthetic messages in the table that Integration writes to."""

import secrets
from collections import Counter
from typing import Any

from django.core.management.base import CommandParser

from inbox.management.base import DatabaseCommand, add_number, percentage, positive_int, whole_number
from inbox.management.progress import Progress
from packets.samples.messages import SampleMessage, insert, sample_messages


class Command(DatabaseCommand):
    help = "Insert synthetic messages the way Integration does, some of them broken on purpose. Each run adds new ones."

    def add_arguments(self, parser: CommandParser) -> None:
        add_number(parser, "--count", positive_int, 1000, "how many messages")
        text = "the same seed gives the same messages (default random, printed)"
        parser.add_argument("--seed", type=whole_number, metavar="S", help=text)
        add_number(parser, "--broken", percentage, 3, "how many of 100 are broken")

    def handle(self, *, count: int, seed: int | None, broken: float, **options: Any) -> None:
        if seed is None:
            seed = secrets.randbelow(2**32)
        shapes: Counter[str] = Counter()
        ways: Counter[str] = Counter()
        with Progress(unit="messages", total=count) as progress:

            def show(batch: list[SampleMessage]) -> None:
                shapes.update(message.shape for message in batch if message.breakage is None)
                ways.update(message.breakage for message in batch if message.breakage is not None)
                progress.advance(len(batch))

            insert(sample_messages(count, seed, broken / 100), on_batch=show)
        self.report(f"{count:,} messages loaded, seed {seed}")
        for title, kinds in (("good", shapes), ("broken", ways)):
            self.report(f"{title}: {kinds.total():,}")
            for kind, number in sorted(kinds.items()):
                self.report(f"  {number:,} {kind}")
