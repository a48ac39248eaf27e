"""Give back: a worker returns claimed jobs whose work has not begun, or was rolled back, to NEW with their attempt."""

import time
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from inbox.db.notify import notify
from inbox.events import Event, emit
from inbox.job_counts import JobCounts
from inbox.models import InboxJob
from inbox.statuses import Status

# A session whose client is gone ends within client_connection_check_interval, 1 s, and so unlocks its jobs.
LEFT_SESSION_ENDS_WITHIN_S = 3.0
LOOK_AGAIN_S = 0.05


def give_back(lease_id: UUID, inbox_ids: Sequence[int]) -> int:
    """Give back those of `inbox_ids` that this lease still holds; returns how many.

    Safe after a COMMIT without an answer: what was finished is no longer PROCESSING and stays as it is.
    """
    with transaction.atomic():
        held = InboxJob.objects.held(lease_id, inbox_ids).lock_keys()
        count = InboxJob.objects.filter(inbox_id__any_of=held).update(
            status=Status.NEW,
            locked_by=None,
            locked_at=None,
            attempt_count=Greatest(F("attempt_count") - 1, 0),
            updated_at=Now(),
        )
        if count:
            notify()
    if count:
        emit(Event.GIVEN_BACK, JobCounts(given_back=count))
    return count


def give_back_and_wait(lease_id: UUID, inbox_ids: Sequence[int]) -> bool:
    """Give back as `give_back` does, and wait a little for jobs that a session of ours that was cut off has locked.

    Returns True if the lease still holds some of `inbox_ids` after that.
    """
    deadline = time.monotonic() + LEFT_SESSION_ENDS_WITHIN_S
    give_back(lease_id, inbox_ids)
    while InboxJob.objects.held(lease_id, inbox_ids).exists():
        if time.monotonic() > deadline:
            return True
        time.sleep(LOOK_AGAIN_S)
        give_back(lease_id, inbox_ids)
    return False
