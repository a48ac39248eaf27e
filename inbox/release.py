"""Give back: claimed jobs whose work has not begun, or was rolled back, return to NEW with their attempt."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from inbox.models import InboxJob
from inbox.statuses import Status


def release(lease_id: UUID, inbox_ids: Sequence[int]) -> int:
    """Give back those of `inbox_ids` that this lease still holds; returns how many.

    Safe after a COMMIT without an answer: what was finished is no longer PROCESSING and stays as it is.
    """
    with transaction.atomic():
        held = InboxJob.objects.held(lease_id, inbox_ids).lock_keys()
        return InboxJob.objects.filter(inbox_id__any_of=held).update(
            status=Status.NEW,
            locked_by=None,
            locked_at=None,
            attempt_count=Greatest(F("attempt_count") - 1, 0),
            updated_at=Now(),
        )
