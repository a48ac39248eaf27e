"""manage.py prune_inbox: removes jobs that ended long ago."""

import random
from collections import Counter
from typing import Any

from django.core.management.base import CommandParser
from django.db import OperationalError, connection

from inbox import registry
from inbox.db.errors import is_connection_lost, wait_for_database
from inbox.engine.prune import BATCH, Batch, announce, count_late, count_prunable, old_jobs, prune
from inbox.management.base import (
    DATABASE_WAIT_S,
    DAY_S,
    DatabaseCommand,
    add_number,
    counted,
    in_batches,
    positive_days,
    positive_int,
    user_at_host,
)
from inbox.management.progress import Progress
from inbox.monitoring.sources import list_sources
from inbox.worker.signals import Stop

TRIES = 5
PAUSE_S = (0.2, 2.0)


class Command(DatabaseCommand):
    help = (
        "Remove DONE and DEAD jobs that ended more than so many days ago, in small batches. Their rows are never "
        "ingested again. Any number may run at once; one that is killed leaves nothing half done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        text = "days since the job ended"
        parser.add_argument("--older-than", type=positive_days, required=True, metavar="DAYS", help=text)
        add_number(parser, "--batch-size", positive_int, BATCH, "jobs per transaction")
        text = "also DEAD jobs that a later message could still wake"
        parser.add_argument("--with-wakeable", action="store_true", help=text)
        text = "also count source rows that came too late to be ingested; reads all rows that were pruned"
        parser.add_argument("--count-late", action="store_true", help=text)
        parser.add_argument("--dry-run", action="store_true", help="only count how many jobs could be removed at most")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        which = {"older_than_s": options["older_than"] * DAY_S, "with_wakeable": options["with_wakeable"]}
        if options["dry_run"]:
            self._report(count_prunable(**which), options, "would_be_pruned")
            return
        gone: Counter[tuple[str, str]] = Counter()
        with in_batches(lambda: self._report(gone, options, "pruned")) as stop:
            kept = _prune(stop, gone, which, options["batch_size"])
            if kept:
                self.stderr.write(
                    f"{kept:,} old jobs were kept: their rows are not old enough by their own time, older rows still "
                    "wait to be ingested, their source is not registered here, or another session has them locked."
                )

    def _report(self, counts: Counter[tuple[str, str]], options: dict[str, Any], word: str) -> None:
        """Print the `counts` by source and status; `word` says what became of the jobs."""
        by_status: Counter[str] = Counter()
        by_source: Counter[str] = Counter()
        for (source, status), count in counts.items():
            by_status[status] += count
            by_source[source] += count
        lines = [counted(by_status, word.replace("_", " "))]
        late = {source.name: count_late(source) for source in registry.sources() if options["count_late"]}
        sources: dict[str, dict[str, Any]] = {}
        for state in list_sources():
            name = state.source
            sources[name] = {word: by_source[name], "pruned_before": state.pruned_before}
            if options["count_late"]:
                sources[name]["late"] = late.get(name, 0)
            if state.pruned_before:
                came = f"; at least {late[name]:,} came later than that" if late.get(name) else ""
                lines.append(f"{name}: rows before {state.pruned_before} are never ingested{came}")
        result = {word: counts.total(), "by_status": dict(by_status), "sources": sources}
        self.print_result(result, "\n".join(lines), is_json=options["json"])


def _prune(stop: Stop, gone: Counter[tuple[str, str]], which: dict[str, Any], batch_size: int) -> int:
    """Prune until asked to stop, and add to `gone`; returns how many old jobs were kept."""
    kept = 0
    who = user_at_host()
    announce(older_than_s=which["older_than_s"], who=who)
    with Progress(count_total=lambda: count_prunable(**which).total()) as progress:
        for batch in old_jobs(**which, batch_size=batch_size):
            counts = _prune_or_retry(batch, stop, who=who, **which)
            gone.update({(batch.source, status): count for status, count in counts.items()})
            kept += len(batch.inbox_ids) - counts.total()
            progress.advance(counts.total())
            if stop.is_asked:
                break
    return kept


def _prune_or_retry(batch: Batch, stop: Stop, **which: Any) -> Counter[str]:
    """Prune one batch; retry if ingest held the watermark for too long, or the connection broke.

    Raises the last OperationalError.
    """
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
    raise AssertionError("unreachable")
