"""A job that waits until its case has a packet, and what happens to it: by the product's own verbs."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import F

from inbox.api import LockedJob, Outcome, Source, done, not_ready
from inbox.engine.backoff import EARLY_LOOKS_S, JITTER
from inbox.engine.claim import claim
from inbox.engine.work import work
from inbox.models import InboxJob
from packets.codes import Channel
from packets.models import Packet
from packets.open_packet import open_packet
from verification.scenes import SOURCE, end_jobs
from verification.steps import new_jobs


def look_for_packets(tracking_ids: Iterable[UUID]) -> set[UUID]:
    """Which of these cases have a packet; a race holds its sessions here."""
    packets = Packet.objects.filter(decision_tracking_id__in=tracking_ids)
    return set(packets.values_list("decision_tracking_id", flat=True))


def _need_their_packets(jobs: Sequence[LockedJob]) -> list[Outcome]:
    found = look_for_packets([job.decision_tracking_id for job in jobs if job.decision_tracking_id])
    return [done() if job.decision_tracking_id in found else not_ready("the packet") for job in jobs]


NEEDS_A_PACKET = Source(name=SOURCE.name, command="none", handlers={"witness": _need_their_packets})


class WaitingJob:
    """A new job, which is due."""

    def __init__(self) -> None:
        [inbox_id] = new_jobs(1)
        self._row = InboxJob.objects.get(pk=inbox_id)

    def work(self) -> None:
        """Work on it, if it is due."""
        work(claim(NEEDS_A_PACKET, worker_id="w", limit=1))

    def open_packet(self) -> None:
        """Open the packet that it needs, as staff do."""
        assert self._row.decision_tracking_id  # noqa: S101 for the types
        open_packet(self._row.decision_tracking_id, channel=Channel.FAX, by="verify_locks", reason="a proof")

    def let_time_pass(self) -> None:
        """The time until the first early look passes, with its jitter."""
        passed = timedelta(seconds=EARLY_LOOKS_S[0] * (1 + JITTER))
        InboxJob.objects.filter(pk=self._row.pk).update(next_attempt_at=F("next_attempt_at") - passed)

    def end(self) -> str:
        """Remove it; returns the status that it had."""
        self._row.refresh_from_db()
        end_jobs()
        return self._row.status
