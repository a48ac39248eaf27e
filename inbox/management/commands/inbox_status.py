"""manage.py inbox_status: what the inbox holds, who works on it, and why anything stays or died."""

import json
import sys
from dataclasses import asdict
from typing import Any, NamedTuple

from django.core.management.base import CommandError, CommandParser
from django.db import Error, OperationalError, ProgrammingError, connection

from inbox.db.errors import is_connection_lost
from inbox.db.storable import error_text
from inbox.management.base import DatabaseCommand, positive_seconds
from inbox.monitoring.age import in_words
from inbox.monitoring.diagnosis import STALLED_AFTER_S, Stall, find_stalls, pauses
from inbox.monitoring.ended_jobs import NEWEST
from inbox.monitoring.snapshot import Snapshot, take_snapshot
from inbox.monitoring.terminal import clip, printable, say
from inbox.monitoring.text_report import page
from inbox.monitoring.transactions import warnings
from inbox.worker.signals import Stop, StopNow

INTERVAL_S = 2.0
CLEAR_SCREEN = "\x1b[H\x1b[2J\x1b[3J"


class QuietStop(Stop):
    """The first signal ends the watch after the turn in hand, without a word; the second at once."""

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.is_asked:
            raise StopNow
        self.ask()


class Turn(NamedTuple):
    """One look."""

    seen: Snapshot
    stalls: list[Stall]


class Command(DatabaseCommand):
    help = (
        "Show how many jobs have each status, what the open ones wait for, who works, how far each source is read, and "
        "why jobs died. Ages are in seconds, by the database's clock."
    )
    database_wait_s = 5.0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object (with --watch: one per line)")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--watch", action="store_true", help="go on until SIGTERM or SIGINT")
        mode.add_argument(
            "--check", action="store_true", help="print one line, and exit with 1 if the inbox is stalled"
        )
        parser.add_argument(
            "--interval",
            type=positive_seconds,
            metavar="S",
            help=f"seconds between the looks of --watch (default {INTERVAL_S:g})",
        )
        parser.add_argument(
            "--stalled-after",
            type=positive_seconds,
            default=STALLED_AFTER_S,
            metavar="S",
            help="stalled is what is due for S seconds while nothing finishes (default %(default)g)",
        )
        parser.add_argument(
            "--exact",
            action="store_true",
            help=f"count all ended jobs, not only those among the newest {NEWEST:,}; reads the whole table",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["interval"] is not None and not options["watch"]:
            raise CommandError("--interval needs --watch", returncode=2)
        try:
            if options["watch"]:
                self._watch(options)
            elif options["check"]:
                self._check(options)
            else:
                self._show(options)
        except ProgrammingError as error:
            raise CommandError(f"{error_text(error)}\nAre the tables there? Type: manage.py migrate") from None
        except Error as error:
            raise CommandError(f"the database refused: {error_text(error)}") from None

    def _show(self, options: dict[str, Any]) -> bool:
        """Print one look; False if nobody reads any more."""
        turn = _look(options)
        if options["json"]:
            return say(self.stdout, json.dumps(_as_json(turn), allow_nan=False))
        clear = CLEAR_SCREEN if options["watch"] and self.stdout.isatty() else ""
        return say(self.stdout, clear + page(*turn) + ("\n" if options["watch"] else ""))

    def _check(self, options: dict[str, Any]) -> None:
        turn = _look(options)
        if options["json"]:
            say(self.stdout, json.dumps({"is_stalled": bool(turn.stalls), **_as_json(turn)}, allow_nan=False))
        else:
            say(self.stdout, _verdict(turn))
        if turn.stalls:
            sys.exit(1)

    def _watch(self, options: dict[str, Any]) -> None:
        stop = QuietStop()
        stop.install()
        try:
            while not stop.is_asked and self._show_or_recover(options):
                stop.wait(options["interval"] or INTERVAL_S)
        except StopNow:
            return

    def _show_or_recover(self, options: dict[str, Any]) -> bool:
        try:
            return self._show(options)
        except Error as error:
            if is_connection_lost(error):
                connection.close()
                what = "connection lost"
            elif isinstance(error, OperationalError):
                what = "the database refused"
            else:
                raise
            self.stderr.write(f"{what} ({clip(error_text(error), 60)}); trying again")
            self.stderr.flush()
            return True


def _look(options: dict[str, Any]) -> Turn:
    seen = take_snapshot(None if options["exact"] else NEWEST)
    return Turn(seen, find_stalls(seen, stalled_after_s=options["stalled_after"]))


def _as_json(turn: Turn) -> dict[str, Any]:
    told = [{"why": why, "do": sql} for why, sql in warnings(turn.seen.transactions)]
    return {**turn.seen.as_json(), "stalled": [asdict(stall) for stall in turn.stalls], "warnings": told}


def _verdict(turn: Turn) -> str:
    seen, stalls = turn
    if not stalls:
        due = f"{seen.due:,} due, the oldest for {in_words(seen.oldest_due_s)}" if seen.due else "nothing is due"
        told = "".join(f"; {said}" for said in pauses(seen))
        return printable(f"fine: {due}; workers: {seen.workers.alive()}{told}")
    first, *others = stalls
    more = f" ({len(others)} more: manage.py inbox_status)" if others else ""
    return printable(f"stalled: {first.why}; {first.do}{more}")
