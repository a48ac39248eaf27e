"""How long the parts of the front page and /metrics take with 1,000,000 jobs, and what an index on finished_at costs.

    .venv/bin/python -m benchmarks.front [--jobs 1000000] [--rounds 20]

1 in 4 of the newest 200,000 jobs is open, 1 in 50 of all is dead, for 20 reasons. 20 workers have tallies of 48 hours.
Tables are vacuumed and analyzed after seeding. Figures are the median and the slowest in ms. At the end the index is
made: its size, and how long a count of 6 hours takes with it.
"""

from collections.abc import Callable

from benchmarks import database

DATABASE = "serviceops_bench_front"
SEED = """
INSERT INTO integration_inbox (source, message_id, message_type, decision_tracking_id, status, next_attempt_at,
                               error_kind, last_error, created_at, finished_at)
SELECT 'integration', n, 'intake', gen_random_uuid(),
       CASE WHEN n % 4 = 0 AND n > :jobs * 0.8 THEN 'NEW' WHEN n % 50 = 1 THEN 'DEAD' ELSE 'DONE' END, at,
       CASE WHEN n % 50 = 1 THEN 'BadMessage' END, CASE WHEN n % 50 = 1 THEN 'reason ' || n / 50 % 20 END,
       at, CASE WHEN n % 4 <> 0 OR n <= :jobs * 0.8 THEN at + random() * interval '1 minute' END
  FROM (SELECT n, now() - (:jobs - n) * interval '12 hours' / :jobs AS at FROM generate_series(1, :jobs) AS n) AS n;
INSERT INTO inbox_worker (instance_id, worker_id, command, host, pid, started_at)
SELECT gen_random_uuid(), 'worker ' || n, 'run_inbox_worker', 'here', n, now() - interval '3 days'
  FROM generate_series(1, 20) AS n;
INSERT INTO inbox_tally (minute, worker_id, done_count, failed_count, dead_count)
SELECT date_trunc('minute', now()) - n * interval '1 minute', id, (2880 - n) * 100, (2880 - n), (2880 - n) / 10
  FROM inbox_worker, generate_series(0, 2879) AS n;
VACUUM ANALYZE integration_inbox, inbox_tally, inbox_worker
"""
COUNT = """
SELECT date_bin('5 minutes', finished_at, 'epoch'), status, count(*) FROM integration_inbox
 WHERE finished_at > now() - interval '6 hours' GROUP BY 1, 2
"""
INDEX = "CREATE INDEX bench_finished ON integration_inbox (finished_at) WHERE finished_at IS NOT NULL"


def main() -> None:
    options = database.options(__doc__, jobs=1_000_000, rounds=20)
    with database.scratch(DATABASE):
        database.use(DATABASE)
        _measure(options.jobs, options.rounds)


def _measure(jobs: int, rounds: int) -> None:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    from config.web.metrics import NEWEST
    from inbox.job_counts import JobCounts
    from inbox.monitoring import history
    from inbox.monitoring.diagnosis import find_stalls
    from inbox.monitoring.ended_jobs import count_ended, dead_by_reason
    from inbox.monitoring.open_jobs import list_open_jobs
    from inbox.monitoring.snapshot import take_snapshot
    from inbox.worker.throughput import record_throughput

    database.progress(f"seeding {jobs:,} jobs …")
    with connection.cursor() as cursor:
        for statement in SEED.replace(":jobs", str(jobs)).split(";"):
            cursor.execute(statement)
    settings.ALLOWED_HOSTS = ["localhost"]
    client = Client(REMOTE_ADDR="127.0.0.1", HTTP_HOST="localhost")
    client.force_login(User.objects.create_superuser("bench"))
    client.get("/admin/")
    seen = take_snapshot(NEWEST)
    first, counts = seen.workers.running[0].id, JobCounts(done=1)

    def run(sql: str) -> Callable[[], object]:
        def call() -> None:
            with connection.cursor() as cursor:
                cursor.execute(sql, [history.TIMED] if "%s" in sql else None)
                cursor.fetchall()

        return call

    parts: dict[str, Callable[[], object]] = {
        "open jobs": list_open_jobs,
        "ended among the newest": lambda: count_ended(NEWEST),
        "dead by reason": lambda: dead_by_reason(seen.ended),
        "take_snapshot": lambda: take_snapshot(NEWEST),
        "find_stalls": lambda: find_stalls(seen),
        "history from tallies": run(history.SELECT_HISTORY),
        "latency of the newest 10,000": run(history.SELECT_LATENCY),
        "connections, deadlocks": run(history.SELECT_SERVER),
        "GET /admin/": lambda: client.get("/admin/"),
        "GET /metrics": lambda: client.get("/metrics"),
        "GET /readyz": lambda: client.get("/readyz"),
        "GET /healthz": lambda: client.get("/healthz"),
        "a worker's tally, every 10 s": lambda: record_throughput(first, counts),
        "6 hours by finished_at, no index": run(COUNT),
    }
    for name, call in parts.items():
        _tell(name, call, rounds)
    with connection.cursor() as cursor:
        print(f"{'making the index':36} {database.timed_ms(lambda: cursor.execute(INDEX)):8.1f}")
        cursor.execute(
            "SELECT pg_relation_size('bench_finished') / 1024 / 1024, pg_relation_size('inbox_tally') / 1024"
        )
        print("index {} MB, all tallies of 20 workers and 2 days {} kB".format(*cursor.fetchone()))
    _tell("6 hours by finished_at, indexed", run(COUNT), rounds)
    print(database.noise())


def _tell(name: str, call: Callable[[], object], rounds: int) -> None:
    times = [database.timed_ms(call) for _ in range(rounds)]
    print(f"{name:36} {database.percentile(times, 50):8.1f} {max(times):8.1f}", flush=True)


if __name__ == "__main__":
    main()
