"""The throughput of workers with a backlog, before sweeps of many rows begin and while they last.

    .venv/bin/python -m benchmarks.sweeping [--rows 7000000] [--old 3000000] [--jobs 1500000] [--seconds 60]
    .venv/bin/python -m benchmarks.sweeping --without

The lookback has `--rows` rows to read, 15 minutes at 8,000 a second, and the reconcile `--old` ones; all have their
jobs. `--processes` workers drain `--jobs` jobs without effects, in batches of 200. After `--seconds` both sweeps fall
due. Printed is the rate of the first `--seconds`, and that of the last ones while a sweep was under way. The middle row
of the lookback has no job: `found` is how long it took to find it. `reconcile` is how long that took.

A drain of so many jobs also slows down by itself, as autovacuum and checkpoints begin. `--without` shows by how much:
no sweep falls due, and all else is the same.
"""

import argparse
import signal
import subprocess
import sys
import time
from typing import Any

from benchmarks import database

DATABASE = "serviceops_bench_sweeping"
SEED = """
INSERT INTO integration_send_serviceops (message_id, decision_tracking_id, payload, created_at)
SELECT n, md5('a')::uuid, '{{}}', now() - CASE WHEN n <= {old} THEN interval '1 day' ELSE interval '0' END
                                        - interval '890 seconds' * ({all} - n) / {all}
  FROM generate_series(1, {all}) AS n;
INSERT INTO integration_inbox (source, message_id, message_type, status, source_created_at, finished_at)
SELECT 'bench', message_id, 'probe', 'DONE', created_at, created_at
  FROM integration_send_serviceops WHERE message_id <> {late};
INSERT INTO integration_inbox (source, message_id, message_type)
SELECT 'bench', {all} + n, 'probe' FROM generate_series(1, {jobs}) AS n;
INSERT INTO poll_watermark (source, last_created_at, last_message_id, next_lookback_at, next_reconcile_at)
SELECT 'bench', created_at, message_id, now() + interval '200 seconds', now() + interval '3000 seconds'
  FROM integration_send_serviceops WHERE message_id = {all};
VACUUM ANALYZE integration_send_serviceops;
VACUUM ANALYZE integration_inbox
"""
COUNT_DONE = """
SELECT count(*) FROM integration_inbox WHERE finished_at >= to_timestamp(%s) AND finished_at < to_timestamp(%s)
"""
DUE = "UPDATE poll_watermark SET next_lookback_at = now(), next_reconcile_at = now()"
# A turn that lies further ahead counts as due.
NOT_YET_DUE = "UPDATE poll_watermark SET next_lookback_at = now() + interval '200 seconds'"
COUNT_OPEN = "SELECT count(*) FROM integration_inbox WHERE status IN ('NEW', 'PROCESSING')"
IS_DONE = """
SELECT lookback_finds > 0, next_reconcile_at > now() + interval '200 seconds' FROM poll_watermark
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = {"rows": 7_000_000, "old": 3_000_000, "jobs": 1_500_000, "seconds": 60, "processes": 2}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--without", action="store_true", help="let no sweep fall due, to compare with")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    database.set_up_django()
    if options.child:
        _work()
        return
    import psycopg

    with database.scratch(DATABASE) as url, psycopg.connect(url, autocommit=True) as raw:
        database.progress("seeding …")
        numbers = {"old": options.old, "all": options.old + options.rows, "jobs": options.jobs}
        for statement in SEED.format(late=options.old + options.rows // 2, **numbers).split(";"):
            raw.execute(statement)
        command = [sys.executable, "-m", "benchmarks.sweeping", "--child"]
        workers = [subprocess.Popen(command, env=database.environment(url)) for _ in range(options.processes)]
        try:
            _measure(raw, options)
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            for worker in workers:
                worker.wait()


def _measure(raw: Any, options: argparse.Namespace) -> None:
    while not raw.execute("SELECT 1 FROM integration_inbox WHERE locked_by IS NOT NULL LIMIT 1").fetchone():
        time.sleep(0.05)
    before_at = _now(raw)
    time.sleep(options.seconds)
    due_at = _now(raw)
    if not options.without:
        raw.execute(DUE)
    lasted: dict[str, float] = {}
    while len(lasted) < 2 and raw.execute(COUNT_OPEN).fetchone()[0]:
        time.sleep(1)
        if options.without:
            raw.execute(NOT_YET_DUE)
        is_done = dict(zip(("found", "reconcile"), raw.execute(IS_DONE).fetchone(), strict=True))
        lasted |= {name: _now(raw) - due_at for name, value in is_done.items() if value and name not in lasted}
    end_at = _now(raw)
    first = raw.execute(COUNT_DONE, [before_at, due_at]).fetchone()[0] / (due_at - before_at)
    last_from = max(due_at, end_at - options.seconds)
    last = raw.execute(COUNT_DONE, [last_from, end_at]).fetchone()[0] / (end_at - last_from)
    print(f"{options.rows:,} rows to look back at, {options.old:,} to reconcile; {database.noise()}")
    print(f"first {due_at - before_at:.0f} s: {first:,.0f} jobs/s; last {end_at - last_from:.0f} s: {last:,.0f} jobs/s")
    print(f"ratio {last / first:.2f}")
    starts = [before_at + options.seconds * number for number in range(int((end_at - before_at) / options.seconds))]
    rates = [raw.execute(COUNT_DONE, [at, at + options.seconds]).fetchone()[0] / options.seconds for at in starts]
    print(f"each {options.seconds} s: " + ", ".join(f"{rate:,.0f}" for rate in rates))
    print(", ".join(f"{name} after {s:.0f} s" for name, s in lasted.items()) or "no sweep came to its end")


def _now(raw: Any) -> float:
    return raw.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()[0]


def _work() -> None:
    from functools import partial

    from inbox.outcomes import DONE
    from inbox.registry import ByWatermark, Source
    from inbox.worker.loop import Worker
    from inbox.worker.presence import Presence, default_worker_id
    from inbox.worker.signals import Stop

    source = Source(
        name="bench",
        command="bench",
        reads=ByWatermark(table="integration_send_serviceops", message_type_sql="'probe'"),
        handlers={"probe": lambda jobs: [DONE for _ in jobs]},
    )
    name = default_worker_id()
    stop = Stop()
    stop.install()
    register = partial(Presence, name, "bench")
    worker = Worker(sources=[source], worker_id=name, batch_size=200, poll_interval_s=1, stop=stop, register=register)
    worker.run()


if __name__ == "__main__":
    main()
