"""Enqueue: makes jobs for work of the project itself, in the transaction that needs it done."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import connection

from inbox.db.notify import notify

# Not by bulk_create: the other columns have their defaults in the database, and a repeat changes nothing.
INSERT_JOBS = """
INSERT INTO integration_inbox (source, message_id, message_type, decision_tracking_id, next_attempt_at)
SELECT %(source)s, job.message_id, %(message_type)s, job.tracking_id, now() + job.delay_s * interval '1 second'
  FROM unnest(%(message_ids)s::bigint[], %(tracking_ids)s::uuid[], %(delays_s)s::float8[])
       AS job(message_id, tracking_id, delay_s)
 ORDER BY job.message_id
    ON CONFLICT DO NOTHING
"""


def enqueue(
    source: str, message_type: str, messages: Iterable[tuple[int, UUID]], delays_s: Mapping[int, float] | None = None
) -> int:
    """Make a job of each (message_id, decision_tracking_id) that has none yet; returns how many were made.

    `source` is one without a table of its own, whose message ids the caller chooses: the same id is the same job.
    `delays_s` says in how many seconds a job is due, by message id; one without is due now.
    """
    message_ids, tracking_ids = zip(*messages, strict=True) if (messages := list(messages)) else ((), ())
    if not message_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT_JOBS,
            {
                "source": source,
                "message_type": message_type,
                "message_ids": list(message_ids),
                "tracking_ids": list(tracking_ids),
                "delays_s": [(delays_s or {}).get(message_id, 0.0) for message_id in message_ids],
            },
        )
        count = cursor.rowcount
    notify()
    return count
