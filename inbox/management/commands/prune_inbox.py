"""manage.py prune_inbox: removes jobs that ended long ago."""

import json
import random
from collections import Counter
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error, OperationalError, connection

from inbox import registry
from inbox.db.errors import is_connection_lost, wait_for_database
from inbox.db.storable import error_text
from inbox.engine.prune import BATCH, Batch, count_late, count_prunable, old_jobs, prune
from inbox.management.base import DATABASE_WAIT_S, DatabaseCommand, positive_days, positive_int
from inbox.management.commands.requeue_jobs import user_at_host
from inbox.management.progress import Progress
from inbox.monitoring.sources import list_sources
from inbox.monitoring.terminal import say
from inbox.worker.signals import Stop, StopNow

TRIES = 5
PAUSE_S = (0.2, 2.0)
DAY_S = 86400


class Command(DatabaseCommand):
    help = (
        "Remove DONE and DEAD jobs that ended more than so many days ago, in small batches. Their rows are never "
        "new again. Any number may run at once; one that is killed leaves nothing half done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than", type=positive_days, required=True, metavar="DAYS", help="days since the end"
        )
        parser.add_argument(
            "--batch-size",
            type=positive_int,
            default=BATCH,
            metavar="N",
            help="jobs per transaction (default %(default)s)",
        )
        parser.add_argument(
            "--with-wakeable",
            action="store_true",
            help="also DEAD jobs that a later message could still bring back",
        )
        parser.add_argument(
            "--count-late",
            action="store_true",
            help="also count source rows that came too late to be taken in; reads all rows that were pruned",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say how many jobs would go at most")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        which = {"older_than_s": options["older_than"] * DAY_S, "with_wakeable": options["with_wakeable"]}
        if options["dry_run"]:
            self._say(count_prunable(**which), options, word="would_be_pruned")
            return
        stop = Stop()
        stop.install()
        gone: Counter[tuple[str, str]] = Counter()
        try:
            left = self._prune(stop, gone, which, options)
        except (Error, StopNow) as error:
            self._say(gone, options)
            why = "stopped at once" if isinstance(error, StopNow) else f"the database refused: {error_text(error)}"
            raise CommandError(f"{why}; nothing is left half done, type it again for the rest") from None
        self._say(gone, options)
        if left:
            self.stderr.write(
                f"{left:,} old jobs stay: their rows are not old enough by their own time, older rows still wait to be "
                "taken in, their source is not known here, or somebody held them."
            )
        if stop.is_asked:
            raise CommandError("stopped; type it again for the rest")

    def _prune(self, stop: Stop, gone: Counter, which: dict[str, Any], options: dict[str, Any]) -> int:
        """Fills `gone` as it goes; returns how many old jobs stay."""
        left = 0
        who = user_at_host()
        with Progress(is_shown=True, label="jobs", count_total=lambda: count_prunable(**which).total()) as progress:
            for batch in old_jobs(**which, batch_size=options["batch_size"]):
                counts = _or_try_again(batch, stop, who=who, **which)
                gone.update({(batch.source, status): count for status, count in counts.items()})
                left += len(batch.inbox_ids) - counts.total()
                progress.advance(counts.total())
                if stop.is_asked:
                    break
        return left

    def _say(self, counts: Counter, options: dict[str, Any], word: str = "pruned") -> None:
        states = {state.source: state for state in list_sources()}
        late = {source.name: count_late(source) for source in registry.sources() if options["count_late"]}
        by_status: Counter[str] = Counter()
        for (_, status), count in counts.items():
            by_status[status] += count
        if options["json"]:
            sources = {
                name: {
                    word: sum(count for (of, _), count in counts.items() if of == name),
                    "pruned_before": state.pruned_before,
                    **({"late": late.get(name, 0)} if options["count_late"] else {}),
                }
                for name, state in states.items()
            }
            say(self.stdout, json.dumps({word: counts.total(), "by_status": dict(by_status), "sources": sources}))
            return
        parts = ", ".join(f"{count:,} {status}" for status, count in sorted(by_status.items()))
        say(self.stdout, f"{counts.total():,} {word.replace('_', ' ')}{': ' + parts if parts else ''}")
        for name, state in states.items():
            if state.pruned_before:
                came = f"; at least {late[name]:,} came later than that" if late.get(name) else ""
                say(self.stdout, f"{name}: rows before {state.pruned_before} are never new again{came}")


def _or_try_again(batch: Batch, stop: Stop, **which: Any) -> Counter[str]:
    """One batch; again if ingest held the watermark for too long, or the connection broke. Raises the last error."""
    for tries_left in reversed(range(TRIES)):
        try:
            return prune(batch, **which)
        except OperationalError as error:
            if not tries_left or stop.is_asked:
                raise
            stop.wait(random.uniform(*PAUSE_S))  # noqa: S311 not a secret
            if is_connection_lost(error):
                connection.close()
                wait_for_database(DATABASE_WAIT_S)
    return Counter()
