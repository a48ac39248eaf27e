"""How fast messages become packets, compared with raw SQL and with one message at a time, in one run.

    .venv/bin/python -m benchmarks.drain [--messages 20000] [--rounds 5] [--processes 1 2]

Each shape drains the same messages: source rows become DONE jobs, packets, documents and events (benchmarks/race.py).

    ours        the engine and the intake handler, as run_inbox_worker --drain runs them
    no-op       the engine with a handler that does nothing
    raw SQL     the same rows by SQL on whole batches through psycopg: same batch size and commits, no parsing in Python
    one by one  one message at a time through the ORM, two commits each (a tenth of the messages)
"""

from collections.abc import Callable
from functools import partial

from benchmarks import database, race

DATABASE = "serviceops_bench"

FILL = """
INSERT INTO integration_send_serviceops (decision_tracking_id, payload)
SELECT id, jsonb_build_object(
         'message_type', 'ingest_file_package',
         'decision_tracking_id', id,
         'submission_metadata', jsonb_build_object('creationTime', '2031-02-03T04:05:06.0000000-05:00',
                                                   'esmd_transaction_id', 'TXN-FAKE-' || n),
         'padding', repeat('x', 400),
         'documents', jsonb_build_array(
             jsonb_build_object('documentUniqueIdentifier', 'DOC-FAKE-' || n || '-1', 'fileName', 'request.pdf',
                                'mimeType', 'application/pdf', 'fileSize', 1024, 'blobPath', 'fake/2031/request.pdf'),
             jsonb_build_object('documentUniqueIdentifier', 'DOC-FAKE-' || n || '-2', 'fileName', 'notes.pdf',
                                'mimeType', 'application/pdf', 'fileSize', 2048, 'blobPath', 'fake/2031/notes.pdf')))
  FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, %s) AS n) AS made
"""
TABLES = (
    "integration_send_serviceops, integration_inbox, poll_watermark, inbox_worker, "
    "packet_decision, packet_document, packet_event, packet"
)


def main() -> None:
    options = race.options(__doc__, SHAPES)
    if options.child:
        race.run_child(SHAPES[options.child]())
        return
    shapes = {shape: options.messages // (10 if shape == "one by one" else 1) for shape in SHAPES}
    with database.scratch(DATABASE) as url:
        for processes in options.processes:
            rates = race.take_turns(shapes, options.rounds, partial(measure, url, processes))
            race.print_table(processes, rates, "raw SQL", "one by one")


def measure(url: str, processes: int, shape: str, messages: int) -> float:
    """Jobs a second of one drain."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES} RESTART IDENTITY CASCADE")
        connection.execute(FILL, [messages])
        # Not the empty tables: after a vacuum while empty, a foreign key's cached plan would scan them for a minute.
        connection.execute("VACUUM ANALYZE integration_send_serviceops")
        took_s = race.seconds_of("benchmarks.drain", shape, url, processes)
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE status = 'DONE'), (SELECT count(*) FROM packet_document)"
            "  FROM integration_inbox"
        ).fetchone()
    expected = (messages, 0 if shape == "no-op" else 2 * messages)
    assert row == expected, f"{shape}: {row} instead of {expected}"
    return messages / took_s


def _ours() -> Callable[[], object]:
    from django.db import connection

    from inbox import registry
    from inbox.worker.loop import Worker
    from inbox.worker.presence import default_worker_id

    connection.ensure_connection()
    worker = Worker(
        sources=registry.sources_of("run_inbox_worker"),
        worker_id=default_worker_id(),
        batch_size=200,
        poll_interval_s=1,
    )
    return worker.drain


def _no_op() -> Callable[[], object]:
    from inbox import registry
    from inbox.outcomes import done

    registry.source("integration").handlers["intake"] = lambda jobs: [done()] * len(jobs)
    return _ours()


def _raw() -> Callable[[], object]:
    from django.conf import settings

    from benchmarks import raw_sql

    return raw_sql.prepare(settings.DATABASE_URL)


def _one_by_one() -> Callable[[], object]:
    from benchmarks import one_by_one

    return one_by_one.drain


SHAPES: dict[str, Callable[[], Callable[[], object]]] = {
    "ours": _ours,
    "no-op": _no_op,
    "raw SQL": _raw,
    "one by one": _one_by_one,
}

if __name__ == "__main__":
    main()
