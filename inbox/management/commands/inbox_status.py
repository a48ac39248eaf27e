"""manage.py inbox_status: what the inbox holds, which workers run, and why anything is still open or died."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error, OperationalError, ProgrammingError, connection

from inbox.db.blockers import refusal_text
from inbox.db.errors import is_connection_lost, is_table_missing
from inbox.db.storable import error_text
from inbox.management.base import DatabaseCommand, add_number, positive_seconds
from inbox.monitoring.age import in_words
from inbox.monitoring.diagnosis import STALLED_AFTER_S, Stall, find_stalls, pauses
from inbox.monitoring.ended_jobs import NEWEST
from inbox.monitoring.snapshot import Snapshot, take_snapshot
from inbox.monitoring.terminal import clip, printable, say
from inbox.monitoring.text_report import page
from inbox.worker.signals import Stop, StopNow

INTERVAL_S = 2.0
CLEAR_SCREEN = "\x1b[H\x1b[2J\x1b[3J"


class QuietStop(Stop):
    """The first signal ends the watch after the current snapshot, without a word; the second at once."""

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.is_asked:
            raise StopNow
        self.ask()


class Command(DatabaseCommand):
    help = (
        "Show how many jobs have each status, what the open ones wait for, which workers run, how far each source has "
        "been ingested, and why jobs died. Times are by the database's clock; --json gives ages in seconds."
    )
    database_wait_s = 5.0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object (with --watch: one per line)")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--watch", action="store_true", help="repeat until SIGTERM or SIGINT")
        text = "print one line, and exit with 1 if the inbox is stalled"
        mode.add_argument("--check", action="store_true", help=text)
        text = f"seconds between the snapshots of --watch (default {INTERVAL_S:g})"
        parser.add_argument("--interval", type=positive_seconds, metavar="S", help=text)
        text = "stalled if work has been due for S seconds while nothing finishes"
        add_number(parser, "--stalled-after", positive_seconds, STALLED_AFTER_S, text)
        text = f"count all ended jobs, not only those among the newest {NEWEST:,}; reads the whole table"
        parser.add_argument("--exact", action="store_true", help=text)

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
            if is_table_missing(error):
                raise
            raise CommandError(f"{error_text(error)}\nAre the tables there? Type: manage.py migrate") from None
        except Error as error:
            raise CommandError(f"the database refused: {refusal_text(error)}") from None

    def _show(self, options: dict[str, Any]) -> bool:
        """Print one snapshot; False if nobody reads any more."""
        snapshot, stalls = _look(options)
        if options["json"]:
            return self._print_json(snapshot, stalls)
        clear = CLEAR_SCREEN if options["watch"] and self.stdout.isatty() else ""
        return say(self.stdout, clear + page(snapshot, stalls) + ("\n" if options["watch"] else ""))

    def _check(self, options: dict[str, Any]) -> None:
        snapshot, stalls = _look(options)
        if options["json"]:
            self._print_json(snapshot, stalls, is_stalled=bool(stalls))
        else:
            say(self.stdout, printable(_verdict(snapshot, stalls)))
        if stalls:
            sys.exit(1)

    def _print_json(self, snapshot: Snapshot, stalls: list[Stall], **more: Any) -> bool:
        stalled = [asdict(stall) for stall in stalls]
        warned = [{"why": why, "do": sql} for why, sql in snapshot.warnings]
        values = {**more, **snapshot.as_json(), "stalled": stalled, "warnings": warned}
        return say(self.stdout, json.dumps(values, allow_nan=False))

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
            is_lost = is_connection_lost(error)
            if is_lost:
                connection.close()
            elif not isinstance(error, OperationalError):
                raise
            what = "connection lost" if is_lost else "the database refused"
            self.stderr.write(f"{what} ({clip(error_text(error), 60)}); trying again")
            self.stderr.flush()
            return True


def _look(options: dict[str, Any]) -> tuple[Snapshot, list[Stall]]:
    snapshot = take_snapshot(None if options["exact"] else NEWEST)
    return snapshot, find_stalls(snapshot, stalled_after_s=options["stalled_after"])


def _verdict(snapshot: Snapshot, stalls: list[Stall]) -> str:
    if stalls:
        first, *others = stalls
        more = f" ({len(others)} more: manage.py inbox_status)" if others else ""
        return f"stalled: {first.why}; {first.do}{more}"
    due = (
        f"{snapshot.due:,} due, the oldest for {in_words(snapshot.oldest_due_s)}" if snapshot.due else "nothing is due"
    )
    queue = snapshot.notify_queue
    filling = [f"warning: the NOTIFY queue is {queue.usage:.0%} full (manage.py inbox_status)"] * queue.is_filling
    return "; ".join([f"fine: {due}", f"workers: {snapshot.workers.alive()}", *pauses(snapshot), *filling])
