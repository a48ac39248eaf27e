"""The body of the worker commands: parse, wire, report. inbox/worker/loop.py does the work."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from inbox import registry
from inbox.db.storable import storable
from inbox.management.base import DatabaseCommand, add_number, positive_int, positive_seconds, stopped_by_signals
from inbox.management.progress import Progress
from inbox.models import InboxJob
from inbox.monitoring.age import in_words
from inbox.monitoring.ended_jobs import dead_of_worker
from inbox.monitoring.open_jobs import OpenJobs, list_open_jobs
from inbox.worker.calls import CONCURRENCY
from inbox.worker.direct_way import DirectWay
from inbox.worker.loop import Worker
from inbox.worker.presence import Presence, default_worker_id


class WorkerCommand(DatabaseCommand):
    """Serves the sources that are registered for `command_name`."""

    command_name: str
    is_background = True

    def add_arguments(self, parser: CommandParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--once", action="store_true", help="ingest once, claim once, then exit")
        mode.add_argument("--drain", action="store_true", help="work until nothing is due, then report what is left")
        parser.add_argument("--max-jobs", type=positive_int, metavar="N", help="exit after N jobs")
        add_number(parser, "--batch-size", positive_int, settings.INBOX_BATCH_SIZE, "jobs per claim")
        text = "seconds between polls when idle"
        add_number(parser, "--poll-interval", positive_seconds, settings.INBOX_POLL_INTERVAL, text)
        parser.add_argument(
            "--worker-id", type=storable, metavar="ID", help="name of this process (default host:pid:random)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sources = registry.sources_of(self.command_name)
        if not sources:
            raise CommandError(f"No source is registered for {self.command_name}.")
        worker_id = options["worker_id"] or default_worker_id()
        began = time.monotonic()
        with (
            stopped_by_signals("unfinished jobs were given back") as stop,
            Progress(is_shown=options["drain"], count_total=lambda: _count_due(sources)) as progress,
        ):
            worker = Worker(
                sources=sources,
                worker_id=worker_id,
                batch_size=options["batch_size"],
                poll_interval_s=options["poll_interval"],
                max_jobs=options["max_jobs"],
                concurrency=options.get("concurrency") or CONCURRENCY,
                stop=stop,
                register=partial(Presence, worker_id, self.command_name, connect=DirectWay().connection),
                on_progress=lambda counts: progress.advance(counts.total),
            )
            if options["once"]:
                worker.once()
            elif options["drain"]:
                worker.drain()
            else:
                worker.run()
        self.report(_summary(worker, time.monotonic() - began))
        for line in _left_lines(worker) if options["drain"] else ():
            self.report(line)


def _summary(worker: Worker, took_s: float) -> str:
    counts = worker.counts
    shown = counts.shown()
    names = ("done", "dead", "failed", "waiting", "given_back")
    parts = [f"{shown[name]:,} {name.replace('_', ' ')}" for name in names if name in shown]
    speed = f", {counts.attempted / took_s:,.0f} jobs/s" if counts.attempted and took_s > 0 else ""
    what = ", ".join(parts) or "nothing was due"
    return f"{counts.attempted:,} jobs in {took_s:.1f} s{speed}: {what}"


def _left_lines(worker: Worker) -> Iterator[str]:
    for reason, count in dead_of_worker(worker.worker_id) if worker.counts.dead else []:
        yield f"Dead: {count:,} {reason}"
    for group in list_open_jobs():
        yield _left(group)


def _left(group: OpenJobs) -> str:
    jobs = "job" if group.count == 1 else "jobs"
    when = f", next in {in_words(group.next_in_s)}" if group.next_in_s and group.next_in_s > 0 else ""
    return f"Left: {group.count:,} {group.status} {group.message_type} {jobs}: {group.why}{when}"


def _count_due(sources: list[registry.Source]) -> int:
    return sum(InboxJob.objects.due(source.name, source.message_types).count() for source in sources)
