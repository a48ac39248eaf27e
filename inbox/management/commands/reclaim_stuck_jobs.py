"""manage.py reclaim_stuck_jobs: takes back jobs whose worker is gone."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection

from inbox import conf
from inbox.db.errors import is_connection_lost
from inbox.engine.reclaim import count_stale, reclaim_all_stale
from inbox.management.base import DatabaseCommand, positive_int, positive_seconds
from inbox.worker.signals import Stop, StopNow

LOOP_INTERVAL_S = 10.0


class Command(DatabaseCommand):
    help = "Take back jobs that were claimed too long ago. One pass, or --loop. Any number may run at once."
    is_background = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until SIGTERM or SIGINT")
        parser.add_argument(
            "--interval",
            type=positive_seconds,
            default=LOOP_INTERVAL_S,
            metavar="S",
            help="seconds between passes of --loop (default %(default)g)",
        )
        parser.add_argument(
            "--stale-after",
            type=positive_seconds,
            default=conf.stale_after_s(),
            metavar="S",
            help="age in seconds from which a claim is taken back (default %(default)g)",
        )
        parser.add_argument(
            "--max-attempts",
            type=positive_int,
            default=conf.max_attempts(),
            metavar="N",
            help="a job that killed its worker N times is DEAD (default %(default)s)",
        )
        parser.add_argument(
            "--batch-size",
            type=positive_int,
            default=500,
            metavar="N",
            help="jobs per transaction (default %(default)s)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say how many jobs are stale")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object per pass")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self._print({"stale": count_stale(options["stale_after"])}, is_json=options["json"])
            return
        stop = Stop()
        stop.install()
        try:
            while not stop.is_asked:
                self._pass_or_recover(options)
                if not options["loop"]:
                    return
                stop.wait(options["interval"])
        except StopNow:
            raise CommandError("Stopped at once; nothing is left half done.") from None

    def _pass_or_recover(self, options: dict[str, Any]) -> None:
        try:
            counts = reclaim_all_stale(
                stale_after_s=options["stale_after"],
                max_attempts=options["max_attempts"],
                batch_size=options["batch_size"],
            )
        except Exception as error:
            if not options["loop"] or not is_connection_lost(error):
                raise
            connection.close()
            self.stderr.write(f"connection lost ({type(error).__name__}); trying again at the next pass")
            return
        result = {"taken_back": counts.given_back, "to_be_tried_again": counts.failed, "dead": counts.dead}
        if any(result.values()) or not options["loop"]:
            self._print(result, is_json=options["json"])

    def _print(self, result: dict[str, int], *, is_json: bool) -> None:
        if is_json:
            self.stdout.write(json.dumps(result))
        else:
            self.stdout.write(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in result.items()))
        self.stdout.flush()
