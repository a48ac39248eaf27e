"""The cost of polls and sweeps when there is nothing to find among 1,000,000 settled rows, in one run.

    .venv/bin/python -m benchmarks.floors [--rows 1000000] [--rounds 200]

Every source row has a DONE job and lies behind the watermark, within the lookback (for the reconcile: behind it). 20
other workers are registered. Tables are vacuumed and analyzed after seeding. A `look` asks whether there is any work;
`look, stale` does so with statistics of a moment when 1 job in 20 was due. `roll call` finds workers that are gone.
`longest lock` is how long the row of the watermark is locked, in ms, from the start of the locking statement to COMMIT.
"""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

from benchmarks import database

DATABASE = "serviceops_bench_floors"
WORKERS = 20
SEED = """
ALTER TABLE integration_inbox SET (autovacuum_enabled = off);
INSERT INTO integration_send_serviceops (decision_tracking_id, payload, created_at)
SELECT gen_random_uuid(), jsonb_build_object('message_type', 'ingest_file_package', 'padding', repeat('x', 400)),
       now() - interval '1 minute' - (:rows - n) * interval '13 minutes' / :rows
  FROM generate_series(1, :rows) AS n;
INSERT INTO integration_inbox (source, message_id, message_type, decision_tracking_id, status, next_attempt_at)
SELECT 'integration', message_id, 'intake', decision_tracking_id, 'DONE', created_at
  FROM integration_send_serviceops ORDER BY message_id;
INSERT INTO poll_watermark (source, last_created_at, last_message_id, next_lookback_at, next_reconcile_at)
SELECT 'integration', created_at, message_id, 'infinity', 'infinity'
  FROM integration_send_serviceops ORDER BY created_at DESC, message_id DESC LIMIT 1;
INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json)
SELECT gen_random_uuid(), '{"decision": "approved"}' FROM generate_series(1, :rows);
UPDATE service_ops_send_serviceops SET is_decision_ingested = true;
VACUUM ANALYZE integration_send_serviceops, integration_inbox, poll_watermark, service_ops_send_serviceops
"""
REGISTER = """
INSERT INTO inbox_worker (instance_id, worker_id, command, host, pid, has_presence)
SELECT gen_random_uuid(), 'worker ' || n, 'run_inbox_worker', 'here', n, true FROM generate_series(1, %s) AS n
RETURNING pg_advisory_lock(%s, id::int)
"""
# Statistics of a moment when 1 job in 20 was due, which then end. `replica` switches the trigger off that guards moves.
STALE = """
SET session_replication_role = replica;
UPDATE integration_inbox SET status = 'NEW' WHERE inbox_id % 20 = 0;
ANALYZE integration_inbox;
UPDATE integration_inbox SET status = 'DONE' WHERE status = 'NEW';
VACUUM integration_inbox
"""
Times = Iterable[tuple[float, float]]


def main() -> None:
    options = database.options(__doc__, rows=1_000_000, rounds=200)
    import psycopg
    from django.conf import settings

    from inbox import registry
    from inbox.engine.has_work import has_work
    from inbox.engine.ingest import ingest
    from inbox.engine.sweeps.sweep import sweep
    from inbox.engine.sweeps.turn import SweepKind
    from inbox.job_counts import NO_JOBS
    from inbox.worker.liveness import find_gone
    from inbox.worker.presence import LOCK_CLASS

    source, flagged = registry.source("integration"), _flagged()
    with database.scratch(DATABASE) as url, psycopg.connect(url, autocommit=True) as other:
        database.progress("seeding …")
        for statement in SEED.replace(":rows", str(options.rows)).split(";"):
            other.execute(statement)
        other.execute(REGISTER, [WORKERS, LOCK_CLASS])
        database.use(DATABASE)
        print(f"\n{database.noise()}\n{'':<24}calls{'p50 ms':>10}{'p95 ms':>10}{'in all ms':>12}{'longest lock':>14}")
        _print_row("empty poll", _times(options.rounds, lambda: ingest(source).count))
        _print_row("empty poll, by flag", _times(options.rounds, lambda: ingest(flagged).count))
        _print_row("look", _times(options.rounds, lambda: has_work([source])))
        _print_row("look, both sources", _times(options.rounds, lambda: has_work([source, flagged])))
        _print_row(f"roll call of {WORKERS}", _times(options.rounds, lambda: find_gone(None, NO_JOBS)))
        for floor, lookback_s in ((SweepKind.LOOKBACK, 900.0), (SweepKind.RECONCILE, 1.0)):
            settings.INBOX_LOOKBACK = lookback_s
            _print_row(f"step of a {floor.value}", _each_step(sweep(source, floor)))
        for statement in STALE.split(";"):
            other.execute(statement)
        _print_row("look, stale", _times(min(options.rounds, 50), lambda: has_work([source])))


def _flagged() -> Any:
    from inbox.registry import ByFlag, Source

    eligible = "s.clinical_ops_decision_json IS NOT NULL"
    reads = ByFlag("service_ops_send_serviceops", eligible, "is_decision_ingested", "decision_revision", "decision")
    return Source(name="flagged", command="none", reads=reads, handlers={"decision": lambda jobs: []})


def _times(count: int, call: Callable[[], Any]) -> Times:
    return (_time(call) for _ in range(count))


def _each_step(steps: Iterator[int]) -> Times:
    found: list[int | None] = []
    while None not in found:
        yield _time(lambda: found.append(next(steps, None)))
    assert not any(found)


def _time(call: Callable[[], Any]) -> tuple[float, float]:
    """How long the call takes, and how long of that the row of the watermark is locked, in milliseconds."""
    from django.db import connection

    locked_at: list[float] = []

    def note(execute: Callable, sql: str, *rest: Any) -> Any:
        if "poll_watermark" in sql and ("FOR UPDATE" in sql or sql.startswith("UPDATE")):
            locked_at.append(perf_counter())
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        began = perf_counter()
        assert not call(), "something was found"
        ended = perf_counter()
    return (ended - began) * 1000, (ended - min([*locked_at, ended])) * 1000


def _print_row(name: str, times: Times) -> None:
    took_ms, lock_ms = zip(*times, strict=True)
    p50, p95 = (database.percentile(took_ms, percent) for percent in (50, 95))
    print(f"{name:<24}{len(took_ms):>5}{p50:>10.2f}{p95:>10.2f}{sum(took_ms):>12,.0f}{max(lock_ms):>14.2f}", flush=True)


if __name__ == "__main__":
    main()
