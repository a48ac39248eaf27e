"""manage.py reclaim_stuck_jobs: reclaims jobs whose claim is too old."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import connection

from inbox.db.errors import is_connection_lost, is_refusal
from inbox.db.storable import error_text
from inbox.engine.reclaim import count_stale, reclaim_all_stale
from inbox.management.base import DatabaseCommand, add_number, positive_int, positive_seconds, stopped_by_signals
from inbox.monitoring.terminal import clip

LOOP_INTERVAL_S = 10.0


class Command(DatabaseCommand):
    help = "Reclaim jobs that were claimed too long ago. One pass, or --loop. Any number may run at once."
    is_background = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true", help="continue until SIGTERM or SIGINT")
        add_number(parser, "--interval", positive_seconds, LOOP_INTERVAL_S, "seconds between passes of --loop")
        text = "age in seconds from which a claim is reclaimed"
        add_number(parser, "--stale-after", positive_seconds, settings.INBOX_STALE_AFTER, text)
        text = "a job that killed its worker N times becomes DEAD"
        add_number(parser, "--max-attempts", positive_int, settings.INBOX_MAX_ATTEMPTS, text)
        add_number(parser, "--batch-size", positive_int, 500, "jobs per transaction")
        parser.add_argument("--dry-run", action="store_true", help="only count the stale jobs")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object per pass")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            count = count_stale(options["stale_after"])
            self.print_result({"stale": count}, f"{count:,} stale", is_json=options["json"])
            return
        with stopped_by_signals() as stop:
            while not stop.is_asked:
                self._pass_or_recover(options)
                if not options["loop"]:
                    return
                stop.wait(options["interval"])

    def _pass_or_recover(self, options: dict[str, Any]) -> None:
        try:
            counts = reclaim_all_stale(
                stale_after_s=options["stale_after"],
                max_attempts=options["max_attempts"],
                batch_size=options["batch_size"],
            )
        except Exception as error:
            is_lost = is_connection_lost(error)
            if not options["loop"] or not (is_lost or is_refusal(error)):
                raise
            if is_lost:
                connection.close()
            what = "connection lost" if is_lost else "the database refused"
            self.stderr.write(f"{what} ({clip(error_text(error), 60)}); trying again at the next pass")
            return
        if counts or not options["loop"]:
            result = {"taken_back": counts.given_back, "to_be_tried_again": counts.failed, "dead": counts.dead}
            text = f"{counts.given_back:,} reclaimed, {counts.failed:,} to be retried, {counts.dead:,} dead"
            self.print_result(result, text, is_json=options["json"])
