"""manage.py load_samples: synthetic messages in the table that Integration writes to."""

import secrets
import sys
import time
from collections import Counter
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from inbox.management.base import DatabaseCommand, option_value, positive_int
from packets.samples.messages import SampleMessage, insert, sample_messages

LINE_EVERY_S = 5.0


def percentage(text: str) -> float:
    """An argparse type: a percentage from 0 to 100."""
    return option_value(text, float, lambda number: 0 <= number <= 100, "a percentage from 0 to 100")


def seed(text: str) -> int:
    """An argparse type: a whole number."""
    return option_value(text, int, lambda number: True, "a whole number")


class Command(DatabaseCommand):
    help = "Insert synthetic messages the way Integration does, some of them broken on purpose. Each run adds new ones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--count", type=positive_int, default=1000, metavar="N", help="how many messages (default %(default)s)"
        )
        parser.add_argument(
            "--seed", type=seed, metavar="S", help="the same seed gives the same messages (default random, printed)"
        )
        parser.add_argument(
            "--broken",
            type=percentage,
            default=3.0,
            metavar="PERCENT",
            help="how many of 100 are broken (default %(default)g)",
        )

    def handle(self, *, count: int, seed: int | None, broken: float, **options: Any) -> None:
        if seed is None:
            seed = secrets.randbelow(2**32)
        shapes: Counter[str] = Counter()
        ways: Counter[str] = Counter()
        next_line = time.monotonic() + LINE_EVERY_S
        with tqdm(
            total=count, unit=" messages", ncols=78, file=sys.stderr, leave=False, disable=not sys.stderr.isatty()
        ) as bar:

            def show(batch: list[SampleMessage]) -> None:
                nonlocal next_line
                shapes.update(message.shape for message in batch if message.breakage is None)
                ways.update(message.breakage for message in batch if message.breakage is not None)
                bar.update(len(batch))
                if bar.disable and time.monotonic() >= next_line:
                    next_line = time.monotonic() + LINE_EVERY_S
                    self.stderr.write(f"{shapes.total() + ways.total():,} of {count:,} messages so far")

            insert(sample_messages(count, seed, broken / 100), on_batch=show)
        self.stdout.write(f"{count:,} messages loaded, seed {seed}")
        self.stdout.write(f"good: {shapes.total():,}")
        for shape, number in sorted(shapes.items()):
            self.stdout.write(f"  {number:,} {shape}")
        self.stdout.write(f"broken: {ways.total():,}")
        for way, number in sorted(ways.items()):
            self.stdout.write(f"  {number:,} {way}")
