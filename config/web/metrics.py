"""The numbers of the front page in Prometheus' text form. No label holds an id, so there are few series, for good.

Nothing is counted in this process: each scrape looks at the database, so it does not matter which process is asked.
"""

from collections.abc import Iterable, Iterator
from typing import cast

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from inbox import registry
from inbox.monitoring.page_snapshot import Snapshot, take_snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text() -> bytes:
    """Everything at this moment. Raises django.db.Error."""
    collected = CollectorRegistry(auto_describe=False)
    collected.register(InboxCollector(take_snapshot()))
    return generate_latest(collected)


class InboxCollector(Collector):
    """Turns one look into metrics."""

    def __init__(self, front: Snapshot) -> None:
        self.front = front

    def collect(self) -> Iterator[Metric]:
        yield from self._jobs()
        yield from self._sources()
        yield from self._work()
        yield from self._server()

    def _jobs(self) -> Iterator[Metric]:
        seen = self.front.seen
        open_jobs = GaugeMetricFamily("inbox_open_jobs", "Open jobs.", labels=["source", "type", "status"])
        counts: dict[tuple[str, str, str], int] = {}
        for group in seen.open:
            # A type without a handler may be any text that another program wrote.
            kind = group.message_type if group.has_handler else "other"
            labels = (group.source if group.has_handler else "other", kind, group.status)
            counts[labels] = counts.get(labels, 0) + group.count
        for labels, count in counts.items():
            open_jobs.add_metric(labels, count)
        yield open_jobs
        yield _gauge("inbox_due_jobs", "Jobs that could be claimed right now.", seen.due)
        yield _gauge("inbox_oldest_due_seconds", "How long the oldest due job is due; 0 if none is.", seen.oldest_due_s)
        yield _labelled(
            "inbox_ended_jobs_newest", "Ended jobs among the newest 50,000.", "status", seen.ended.counts.items()
        )
        dead = self.front.history.dead_by_kind.items()
        yield _labelled("inbox_dead_jobs_newest", "DEAD jobs among the newest 50,000.", "kind", dead)
        yield _gauge("inbox_stalls", "Reasons to say that the inbox stands still; 0 is fine.", len(self.front.stalls))

    def _sources(self) -> Iterator[Metric]:
        sources = self.front.seen.sources
        lags = [(source.source, source.lag_s) for source in sources if source.lag_s is not None]
        yield _labelled("inbox_watermark_lag_seconds", "Age of the newest row taken in.", "source", lags)
        rows = [(source.source, source.rows_to_take_in) for source in sources]
        yield _labelled("inbox_rows_to_take_in", "Rows that have no job yet; counted to 10,000.", "source", rows)
        paused = [(source.source, source.pause.for_s if source.pause else 0) for source in sources]
        yield _labelled("inbox_source_paused_seconds", "How long a source pauses; 0 if not.", "source", paused)
        finds = [(source.source, source.reconcile_finds) for source in sources if source.reconcile_finds is not None]
        yield _counter("inbox_reconcile_finds", "Rows that only the reconcile found: incidents.", "source", finds)

    def _work(self) -> Iterator[Metric]:
        owners, history = self.front.seen.owners, self.front.history
        commands = sorted({source.command for source in registry.sources()})
        alive = [(command, owners.alive(command)) for command in commands]
        yield _labelled("inbox_workers_alive", "Worker processes that show signs of life.", "command", alive)
        totals = history.totals._asdict().items()
        yield _counter("inbox_attempts", "Attempts that ended, as workers tell.", "result", totals)
        latency = GaugeMetricFamily(
            "inbox_latency_seconds", "From taken in until DONE, of the newest 10,000 jobs.", labels=["quantile"]
        )
        for quantile, took_s in zip(("0.5", "0.95", "0.99"), history.latency[1:], strict=True):
            if took_s is not None:
                latency.add_metric([quantile], took_s)
        yield latency

    def _server(self) -> Iterator[Metric]:
        server, transactions = self.front.history.server, self.front.seen.transactions
        found = self.front.seen.connections
        yield _gauge("inbox_database_connections", "Sessions of the database.", server.connections)
        kinds = found.by_kind.items()
        yield _labelled("inbox_database_connections_of", "Sessions of this project, by kind of process.", "kind", kinds)
        yield _gauge("inbox_database_connections_reserved", "DB_CONNECTIONS_RESERVED: for the web.", found.reserved)
        text = "How much is in use of what the web leaves, whoever uses it; from 1 on, no worker starts."
        yield _gauge("inbox_database_connections_used_ratio", text, found.used)
        yield _gauge("inbox_database_connection_budget", "DB_CONNECTION_BUDGET.", server.budget)
        deadlocks = CounterMetricFamily("inbox_database_deadlocks", "Deadlocks that the server broke.")
        deadlocks.add_metric([], server.deadlocks)
        yield deadlocks
        yield _gauge("inbox_oldest_transaction_seconds", "Age of the oldest transaction.", transactions.oldest_s)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, text, value=value or 0)


def _labelled(name: str, text: str, label: str, values: Iterable[tuple[str, float | None]]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values:
        metric.add_metric([str(key)], cast("float", value))
    return metric


def _counter(name: str, text: str, label: str, values: Iterable[tuple[str, float | None]]) -> Metric:
    metric = CounterMetricFamily(name, text, labels=[label])
    for key, value in values:
        metric.add_metric([str(key)], cast("float", value))
    return metric
