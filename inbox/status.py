"""What the inbox holds right now, and why anything stays."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, FloatField, Min
from django.db.models.functions import Coalesce, Extract, Now

from inbox import registry
from inbox.models import InboxJob
from inbox.statuses import DUE_STATUSES, Status


@dataclass(frozen=True, slots=True)
class Remaining:
    """Jobs of one status that have not ended, and what they wait for. `next_in_s` is in seconds, below 0 if overdue."""

    status: str
    why: str
    count: int
    next_in_s: float | None


def count_by_status() -> dict[str, int]:
    """How many jobs have each status."""
    counts = InboxJob.objects.values_list("status").annotate(count=Count("*"))
    return dict(sorted(counts))


def dead_by_reason(finished_by: str | None = None, limit: int = 20) -> list[tuple[str, int]]:
    """The commonest reasons of DEAD jobs with their counts, commonest first; `finished_by` names a worker."""
    rows = (
        InboxJob.objects.filter(status=Status.DEAD, **({"finished_by": finished_by} if finished_by else {}))
        .values_list(Coalesce("last_error", "error_kind"))
        .annotate(count=Count("*"))
        .order_by("-count")[:limit]
    )
    return [(reason or "no reason recorded", count) for reason, count in rows]


def remaining() -> list[Remaining]:
    """Open jobs, grouped by what they wait for."""
    groups: list[Remaining] = []
    for source, message_type, status, count, next_in_s in _open_jobs():
        has_handler = source in {known.name for known in registry.sources()} and (
            message_type in registry.source(source).handlers
        )
        if status == Status.PROCESSING:
            why = "another worker has them"
        elif not has_handler:
            why = f"no handler here for {source}/{message_type}"
        elif next_in_s is not None and next_in_s > 0:
            why = {Status.FAILED: "will be tried again", Status.WAITING: "wait for something"}.get(
                status, "not yet due"
            )
        else:
            why = "due"
        groups.append(Remaining(status, why, count, next_in_s))
    return groups


def _open_jobs() -> Any:
    return (
        InboxJob.objects.filter(status__in=[*DUE_STATUSES, Status.PROCESSING])
        .values_list("source", "message_type", "status")
        .annotate(
            count=Count("*"), next_in_s=Extract(Min("next_attempt_at") - Now(), "epoch", output_field=FloatField())
        )
        .order_by("source", "message_type", "status")
    )
