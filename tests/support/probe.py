"""A source for tests of the engine, a table of effects without a unique key, threads, and waiting."""

import threading
from collections.abc import Callable

from django.db import connection

from inbox.engine.claim import claim
from inbox.models import InboxJob
from inbox.outcomes import done
from inbox.registry import ByWatermark, Handler, Source
from tests.support.servers.waiting import wait_until as wait_until


def probe_source(handler: Handler | None = None) -> Source:
    """Reads integration_send_serviceops; every row is a `probe`. The handler leaves one witness per job."""
    return Source(
        name="test",
        command="none",
        reads=ByWatermark(table="integration_send_serviceops", message_type_sql="'probe'"),
        handlers={"probe": handler or leave_witnesses},
    )


def leave_witnesses(jobs):
    """A handler that writes the key of each job, so that a second effect shows."""
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO probe_effect VALUES (%s)", [[job.inbox_id] for job in jobs])
    return [done() for _ in jobs]


def make_witness_table():
    """Create the table of effects again, empty."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS probe_effect")
        cursor.execute("CREATE TABLE probe_effect (inbox_id bigint)")


def witnesses() -> list[int]:
    """The keys of the jobs that had an effect, once per effect, in order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inbox_id FROM probe_effect ORDER BY 1")
        return [inbox_id for (inbox_id,) in cursor.fetchall()]


def many_jobs(count: int) -> list[int]:
    """New jobs of the probe source; returns their keys in order."""
    jobs = InboxJob.objects.bulk_create(
        [InboxJob(source="test", message_type="probe", message_id=number) for number in range(1, count + 1)]
    )
    return [job.pk for job in jobs]


def claim_all(source: Source, worker_id: str = "worker A", limit: int = 200):
    """Claim what is due of the source."""
    return claim(source, worker_id=worker_id, limit=limit)


def in_threads(*functions: Callable[[], object]) -> list[object]:
    """Run the functions at the same moment, each in a thread with a connection of its own; returns their results."""
    barrier = threading.Barrier(len(functions))
    results: list[object] = [None] * len(functions)
    errors: list[BaseException] = []

    def run(position: int, function: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(10)
            results[position] = function()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return results


def lock_waiters() -> list[str]:
    """The queries of the sessions of this database that wait for a lock right now."""
    with connection.cursor() as cursor:
        # Inside a transaction the view would stand still.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return [query for (query,) in cursor.fetchall()]
