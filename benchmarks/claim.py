"""How long a claim of 200 jobs takes in a small and in a large table, in one run.

    .venv/bin/python -m benchmarks.claim [--rounds 200] [--scale 1]

    small      1,000 due jobs
    large      1,000,000 due, 100,000 FAILED and not due yet, 5,000,000 DONE
    unhandled  1,000 due, behind 100,000 due jobs of a type that this process has no handler for

Tables are seeded, vacuumed and analyzed; the shapes take turns. Each is measured in two ways: "rolled back" claims the
same 200 jobs again and again without a COMMIT; "as in life" commits each claim and then, unmeasured, ends its jobs and
adds 200 new ones. `--scale 0.01` makes the large shapes smaller, for a trial.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks import database

LIMIT = 200

# Groups of jobs in the order of their ids: count (scaled if above 1,000), status, message type, due time.
SMALL = [(1_000, "NEW", "intake", "now() - interval '1 hour' + n * interval '1 ms'")]
LARGE = [
    (5_000_000, "DONE", "intake", "now() - interval '40 days' + n * interval '500 ms'"),
    (100_000, "FAILED", "intake", "now() + interval '5 hours' + n * interval '100 ms'"),
    (1_000_000, "NEW", "intake", "now() - interval '1 hour' + n * interval '1 ms'"),
]
UNHANDLED = [(100_000, "NEW", "nobody handles this", "now() - interval '2 hours' + n * interval '1 ms'"), *SMALL]
SHAPES = {"small": SMALL, "large": LARGE, "unhandled": UNHANDLED}

FILL = """
INSERT INTO integration_inbox (source, message_id, message_type, decision_tracking_id, status, next_attempt_at)
SELECT 'integration', %(first)s + n, %(message_type)s, gen_random_uuid(), %(status)s, {due}
  FROM generate_series(1, %(count)s) AS n
"""
FINISH = """
UPDATE integration_inbox
   SET status = 'DONE', locked_by = NULL, locked_at = NULL, finished_at = now(), finished_by = 'benchmark'
 WHERE inbox_id = ANY(%s)
"""


def main() -> None:
    options = database.options(__doc__, rounds=200, scale=1.0)
    with ExitStack() as stack:
        for shape in SHAPES:
            _seed(stack.enter_context(database.scratch(_name(shape))), shape, options.scale)
        for title, claim_ms in (("rolled back", _rolled_back_ms), ("as in life", _in_life_ms)):
            _print_table(title, _measure(claim_ms, options.rounds))


def _name(shape: str) -> str:
    return f"serviceops_bench_claim_{shape}"


def _seed(url: str, shape: str, scale: float) -> None:
    import psycopg

    database.progress(f"seeding {shape} …")
    with psycopg.connect(url, autocommit=True) as connection:
        first = 0
        for count, status, message_type, due in SHAPES[shape]:
            count = count if count <= 1_000 else int(count * scale)
            values = {"first": first, "count": count, "status": status, "message_type": message_type}
            connection.execute(FILL.format(due=due), values)
            first += count
        connection.execute("VACUUM ANALYZE integration_inbox")
        connection.execute("CHECKPOINT")


def _measure(claim_ms: Callable[[], float], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {shape: [] for shape in SHAPES}
    for number in range(-5, rounds):
        for shape in SHAPES:
            database.use(_name(shape))
            took_ms = claim_ms()
            if number >= 0:  # the first ones warm up
                times[shape].append(took_ms)
    return times


def _rolled_back_ms() -> float:
    from django.db import transaction

    with transaction.atomic():
        took_ms, _ = _claim_ms()
        transaction.set_rollback(True)
    return took_ms


def _in_life_ms() -> float:
    from django.db import connection

    took_ms, claimed = _claim_ms()
    with connection.cursor() as cursor:
        cursor.execute(FINISH, [claimed.inbox_ids["intake"]])
        cursor.execute("SELECT max(message_id) FROM integration_inbox WHERE source = 'integration'")
        values = {"first": cursor.fetchone()[0], "count": LIMIT, "status": "NEW", "message_type": "intake"}
        cursor.execute(FILL.format(due="now()"), values)
    return took_ms


def _claim_ms() -> tuple[float, Any]:
    from inbox import registry
    from inbox.engine.claim import claim

    claims: list[Any] = []
    source = registry.source("integration")
    took_ms = database.timed_ms(lambda: claims.append(claim(source, worker_id="benchmark", limit=LIMIT)))
    assert len(claims[0]) == LIMIT, f"{len(claims[0])} claimed"
    return took_ms, claims[0]


def _print_table(title: str, times: dict[str, list[float]]) -> None:
    print(f"\nclaim of {LIMIT}, {title}, {len(times['small'])} rounds; {database.noise()}")
    print(f"{'shape':<12}{'p50 ms':>9}{'p95 ms':>9}{'x small, p50':>15}{'p95':>8}")
    small = [database.percentile(times["small"], percent) for percent in (50, 95)]
    for shape in times:
        p50, p95 = (database.percentile(times[shape], percent) for percent in (50, 95))
        print(f"{shape:<12}{p50:>9.2f}{p95:>9.2f}{p50 / small[0]:>15.2f}{p95 / small[1]:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
