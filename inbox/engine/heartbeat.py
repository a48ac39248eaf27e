"""Heartbeat: keeps jobs from being reclaimed by age while a call for them runs and no transaction is open."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from inbox.models import InboxJob


def renew_claims(lease_id: UUID, inbox_ids: Sequence[int], presence_id: int | None) -> int:
    """Renew the claim of those of `inbox_ids` that this lease still holds; returns how many.

    `presence_id` is the process's inbox_worker.id of now: after a lost connection it has a new one. Rows that others
    have locked are skipped: they are being reclaimed or finished.
    """
    with transaction.atomic():
        held = InboxJob.objects.held(lease_id, inbox_ids).lock_keys()
        return InboxJob.objects.filter(inbox_id__any_of=held).update(
            locked_at=Now(), presence_id=presence_id, updated_at=Now()
        )
