"""Protections of outbound calls: the heartbeat, the lease with the answer, and the turn of a probe."""

from typing import Any

from inbox.models.job import HELD_BY_LEASE
from inbox.statuses import Status
from verification.patches import patched, without_text
from verification.row import Protection


def _renew_nothing(plain: Any) -> Any:
    return lambda lease_id, inbox_ids, presence_id: 0


def _held_by_anybody(plain: Any) -> Any:
    return lambda jobs, lease_id, inbox_ids: jobs.filter(inbox_id__any_of=inbox_ids, status=Status.PROCESSING)


BEATS = Protection(
    "heartbeat",
    "a worker renews its claims while a call for them runs",
    lambda: patched("inbox.worker.calls:renew_claims", _renew_nothing),
)
RENEWS_ITS_OWN = Protection(
    "heartbeat-lease-guard",
    "a heartbeat renews only what its lease still holds",
    lambda: patched("inbox.models.job:JobQuerySet.held", _held_by_anybody),
)
ANSWERS_UNDER_ITS_LEASE = Protection(
    "answer-lease-lock",
    "an answer is written only for jobs that its lease still holds",
    lambda: without_text("inbox.engine.work:LOCK_LEASED_JOBS", HELD_BY_LEASE, "job.status = 'PROCESSING'"),
)
TURN_MOVES_ON = Protection(
    "probe-turn",
    "of those that want to probe, one moves next_try_at on, and the others find it moved",
    lambda: without_text("inbox.engine.pause:TAKE_TURN", "pause.next_try_at <= now()", "true"),
)
PROBE_KEEPS_THE_TURN = Protection(
    "probe-lease",
    "nobody takes the turn while a job under the lease of the probe is PROCESSING",
    lambda: without_text("inbox.engine.pause:TAKE_TURN", "pause.probe_lease_id", "NULL"),
)
