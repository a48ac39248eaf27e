"""Correct: a person corrects the message of a job, which then begins anew.

The correction is kept beside the original, which stays as it came; handlers read the newest correction in its place.
Never while a worker has the job. The audit says that it was corrected, how long the text is and its digest, never what
it says. What can go wrong: the correction is as bad as the original (the job dies again, and can be corrected again).
"""

import hashlib
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models.functions import Now

from inbox.db.notify import notify
from inbox.db.storable import storable
from inbox.engine.audit import Change, job_facts, reason_of, record, recorded_move
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.operations.submission import Submission
from inbox.operations.verbs import requeueable
from inbox.statuses import Status

SELECT_CORRECTIONS = """
SELECT DISTINCT ON (job_id) job_id, content::text
  FROM inbox_correction WHERE job_id = ANY(%s) ORDER BY job_id, id DESC
"""
INSERT_CORRECTION = "INSERT INTO inbox_correction (job_id, content, made_by) VALUES (%s, %s::jsonb, %s)"


def corrected_texts(inbox_ids: Sequence[int]) -> dict[int, str]:
    """The newest correction of each of these jobs that has one, as JSON text, by key."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_CORRECTIONS, [list(inbox_ids)])
        return dict(cursor.fetchall())


def correct(
    jobs: JobQuerySet,
    *,
    text: str,
    message_type: str,
    who: str,
    reason: str,
    submission: Submission | None = None,
) -> list[int]:
    """Keep `text`, JSON, as the correction of the one job in `jobs`, which is then NEW; returns its key, or nothing.

    One transaction with the audit entry. `message_type` is what the corrected message is. Takes only what nobody holds
    and has not succeeded. Raises NoReason for a blank reason, DataError for what is no JSON.
    """
    reason = reason_of(reason)
    with transaction.atomic():
        inbox_ids = requeueable(jobs).lock_keys(1)
        if not inbox_ids:
            return []
        [inbox_id] = inbox_ids
        before = job_facts(inbox_ids)[inbox_id] | _type_of(inbox_id)
        with connection.cursor() as cursor:
            cursor.execute(INSERT_CORRECTION, [inbox_id, text, storable(who, 200)])
        with recorded_move(reason):
            requeueable(InboxJob.objects.filter(inbox_id=inbox_id)).update(
                status=Status.NEW,
                message_type=message_type,
                is_corrected=True,
                attempt_count=0,
                next_attempt_at=Now(),
                waiting_since=None,
                note=None,
                finished_at=None,
                finished_by=None,
                updated_at=Now(),
            )
        after = job_facts(inbox_ids)[inbox_id] | _type_of(inbox_id) | _shape(text)
        change = Change(f"job:{inbox_id}", before, after)
        record(
            [change], who=who, verb="correct", reason=reason, submission=submission._asdict() if submission else None
        )
        notify()
    return inbox_ids


def _type_of(inbox_id: int) -> dict[str, str]:
    return {"message_type": InboxJob.objects.values_list("message_type", flat=True).get(pk=inbox_id)}


def _shape(text: str) -> dict[str, str | int]:
    return {"characters": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
