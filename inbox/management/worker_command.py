"""The body of the worker commands: parse, wire, report. inbox/worker/loop.py does the work."""

import sys
import time
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from inbox import conf, registry
from inbox.management.base import DatabaseCommand, add_worker_arguments
from inbox.management.progress import Progress
from inbox.models import InboxJob
from inbox.monitoring.age import in_words
from inbox.monitoring.ended_jobs import dead_of_worker
from inbox.monitoring.open_jobs import list_open_jobs
from inbox.worker.calls import CONCURRENCY
from inbox.worker.loop import Worker
from inbox.worker.presence import Presence, default_worker_id
from inbox.worker.signals import Stop, StopNow


class WorkerCommand(DatabaseCommand):
    """Serves the sources that are registered for `command_name`."""

    command_name: str
    is_background = True

    def add_arguments(self, parser: CommandParser) -> None:
        add_worker_arguments(parser, batch_size=conf.batch_size(), poll_interval_s=conf.poll_interval_s())

    def handle(self, *args: Any, **options: Any) -> None:
        sources = registry.sources_of(self.command_name)
        if not sources:
            raise CommandError(f"No source is registered for {self.command_name}.")
        stop = Stop()
        stop.install()
        worker_id = options["worker_id"] or default_worker_id()
        began = time.monotonic()
        with Progress(is_shown=options["drain"], label="jobs", count_total=lambda: _count_due(sources)) as progress:
            worker = Worker(
                sources=sources,
                worker_id=worker_id,
                batch_size=options["batch_size"],
                poll_interval_s=options["poll_interval"],
                max_jobs=options["max_jobs"],
                concurrency=options.get("concurrency") or CONCURRENCY,
                stop=stop,
                register=partial(Presence, worker_id, self.command_name),
                on_progress=lambda counts: progress.advance(counts.total),
            )
            try:
                if options["once"]:
                    worker.once()
                elif options["drain"]:
                    worker.drain()
                else:
                    worker.run()
            except StopNow:
                raise CommandError("Stopped at once; what was not finished has been given back.") from None
        self._report(worker, time.monotonic() - began, says_what_stays=options["drain"])

    def _report(self, worker: Worker, took_s: float, *, says_what_stays: bool) -> None:
        counts = worker.counts
        handled = counts.attempted
        shown = counts.shown()
        names = ("done", "dead", "failed", "waiting", "given_back")
        parts = [f"{shown[name]:,} {name.replace('_', ' ')}" for name in names if name in shown]
        speed = f", {handled / took_s:,.0f} jobs/s" if handled and took_s > 0 else ""
        self.stdout.write(f"{handled:,} jobs in {took_s:.1f} s{speed}: {', '.join(parts) or 'nothing was due'}")
        if says_what_stays:
            for reason, count in dead_of_worker(worker.worker_id) if counts.dead else []:
                self.stdout.write(f"dead: {count:,} {reason}")
            for group in list_open_jobs():
                when = f", next in {in_words(group.next_in_s)}" if group.next_in_s and group.next_in_s > 0 else ""
                self.stdout.write(f"stays: {group.count:,} {group.status}: {group.why}{when}")
        sys.stdout.flush()


def _count_due(sources: list[registry.Source]) -> int:
    return sum(InboxJob.objects.due(source.name, source.message_types).count() for source in sources)
