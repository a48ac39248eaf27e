"""Ingests and works in this process, as a worker would."""

from collections import Counter

from inbox import registry
from inbox.claim import claim
from inbox.ingest import Floor, ingest
from inbox.models import InboxJob
from inbox.work import Counts, work


def take_in() -> None:
    """Make jobs of all rows, also of those that lie some minutes behind the watermark."""
    while ingest(registry.source("integration"), Floor.LOOKBACK).count:
        pass


def drain(batch_size: int = 200) -> Counts:
    """Take in all rows and work until nothing is due; returns how many jobs took each status."""
    take_in()
    counts: Counts = Counter()
    while claimed := claim(registry.source("integration"), worker_id="test", limit=batch_size):
        counts += work(claimed)
    return counts


def job_of(message_id: int) -> InboxJob:
    return InboxJob.objects.get(source="integration", message_id=message_id)
