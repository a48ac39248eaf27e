"""The numbers of the front page in Prometheus' text format. No label holds an id, so the number of series stays small.

Nothing is counted in this process: each scrape looks at the database, so any web process may answer it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from django.conf import settings
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from inbox import registry
from inbox.monitoring.diagnosis import find_stalls
from inbox.monitoring.ended_jobs import dead_by_kind
from inbox.monitoring.history import take_history
from inbox.monitoring.snapshot import Snapshot, take_snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Half of what inbox_status reads.
NEWEST = 50_000


def metrics_text() -> bytes:
    """Everything at this moment. Raises django.db.Error."""
    collected = CollectorRegistry(auto_describe=False)
    collected.register(InboxCollector())
    return generate_latest(collected)


class InboxCollector(Collector):
    """Turns a snapshot and the history into metrics, one after the other. Raises django.db.Error."""

    def collect(self) -> Iterator[Metric]:
        snapshot = take_snapshot(NEWEST)
        yield from _jobs(snapshot)
        yield from _sources(snapshot)
        yield from _history(snapshot)
        yield from _connections(snapshot)
        yield from _notify_queue(snapshot)


def _jobs(snapshot: Snapshot) -> Iterator[Metric]:
    counts: Counter[tuple[str, ...]] = Counter()
    for group in snapshot.open:
        # A type without a handler may be any text that another program wrote.
        kind = (group.source, group.message_type) if group.has_handler else ("other", "other")
        counts[(*kind, group.status)] += group.count
    open_jobs = GaugeMetricFamily("inbox_open_jobs", "Open jobs.", labels=["source", "type", "status"])
    for labels, count in counts.items():
        open_jobs.add_metric(labels, count)
    yield open_jobs
    yield _gauge("inbox_due_jobs", "Jobs that could be claimed right now.", snapshot.due)
    yield _gauge("inbox_oldest_due_seconds", "How long the oldest job has been due; 0 if none.", snapshot.oldest_due_s)
    ended = snapshot.ended
    yield _gauges("inbox_ended_jobs_newest", "Ended jobs among the newest 50,000.", "status", ended.counts)
    yield _gauges("inbox_dead_jobs_newest", "DEAD jobs among the newest 50,000.", "kind", dead_by_kind(ended))
    stalls = find_stalls(snapshot)
    yield _gauge("inbox_stalls", "Reasons to say that the inbox is stalled; 0 is fine.", len(stalls))


def _sources(snapshot: Snapshot) -> Iterator[Metric]:
    sources = {source.source: source for source in snapshot.sources}
    lags = {name: source.lag_s for name, source in sources.items()}
    yield _gauges("inbox_watermark_lag_seconds", "Age of the newest row ingested.", "source", lags)
    rows = {name: source.rows_to_take_in for name, source in sources.items()}
    yield _gauges("inbox_rows_to_take_in", "Rows that have no job yet; counted to 10,000.", "source", rows)
    paused = {name: source.pause.for_s if source.pause else 0 for name, source in sources.items()}
    yield _gauges("inbox_source_paused_seconds", "How long a source has been paused; 0 if not.", "source", paused)
    finds = {name: source.reconcile_finds for name, source in sources.items()}
    yield _counters("inbox_reconcile_finds", "Rows that only the reconcile found: incidents.", "source", finds)


def _history(snapshot: Snapshot) -> Iterator[Metric]:
    commands = sorted({source.command for source in registry.sources()})
    alive = {command: snapshot.workers.alive(command) for command in commands}
    yield _gauges("inbox_workers_alive", "Worker processes that are alive.", "command", alive)
    _, latency, attempts, connections, deadlocks = take_history()
    yield _counters("inbox_attempts", "Attempts that ended, as workers report.", "result", attempts)
    quantiles = {"0.5": latency.p50_s, "0.95": latency.p95_s, "0.99": latency.p99_s}
    yield _gauges("inbox_latency_seconds", "From ingest to DONE, of the newest 10,000 jobs.", "quantile", quantiles)
    yield _gauge("inbox_database_connections", "Sessions of the database.", connections)
    yield _gauge("inbox_database_connection_budget", "DB_CONNECTION_BUDGET.", settings.DB_CONNECTION_BUDGET)
    yield CounterMetricFamily("inbox_database_deadlocks", "Deadlocks that the server broke.", value=deadlocks)


def _connections(snapshot: Snapshot) -> Iterator[Metric]:
    found, oldest_s = snapshot.connections, snapshot.transactions.oldest_s
    text = "Sessions of this project, by kind of process."
    yield _gauges("inbox_database_connections_of", text, "kind", found.by_kind)
    yield _gauge("inbox_database_connections_reserved", "DB_CONNECTIONS_RESERVED: for the web.", found.reserved)
    text = "How much of what the web leaves is in use, by any client; from 1 on, no worker starts."
    yield _gauge("inbox_database_connections_used_ratio", text, found.used)
    yield _gauge("inbox_oldest_transaction_seconds", "Age of the oldest transaction.", oldest_s)


def _notify_queue(snapshot: Snapshot) -> Iterator[Metric]:
    queue = snapshot.notify_queue
    yield _gauge("inbox_notify_queue_usage_ratio", "How full the server's NOTIFY queue is.", queue.usage)
    text = "The pid of the session to blame while that queue is filling up, if one can be seen; 0 if not."
    yield _gauge("inbox_notify_queue_blocked_by_pid", text, queue.suspects[0].pid if queue.suspects else 0)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, text, value=value or 0)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float | None]) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=[label]), values)


def _counters(name: str, text: str, label: str, values: Mapping[str, float | None]) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=[label]), values)


def _filled(metric: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float | None]) -> Metric:
    for key, value in values.items():
        if value is not None:
            metric.add_metric([key], value)
    return metric
