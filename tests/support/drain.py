"""Ingest and work in the process of the test, as a worker would."""

from inbox import registry
from inbox.engine.claim import claim
from inbox.engine.ingest import ingest
from inbox.engine.sweeps.sweep import sweep
from inbox.engine.sweeps.turn import SweepKind
from inbox.engine.work import work
from inbox.job_counts import NO_JOBS, JobCounts
from inbox.models import InboxJob


def ingest_all() -> None:
    """Make jobs of all rows of Integration, also of those some minutes behind the watermark."""
    integration = registry.source("integration")
    while ingest(integration).count:
        pass
    swept(integration, SweepKind.LOOKBACK)


def swept(source: registry.Source, kind: SweepKind) -> int:
    """Sweep to the end; returns how many jobs that made."""
    return sum(sweep(source, kind))


def drain(batch_size: int = 200) -> JobCounts:
    """Ingest all rows of Integration and work until nothing is due; returns how the attempts ended."""
    ingest_all()
    counts = NO_JOBS
    while claimed := claim(registry.source("integration"), worker_id="test", limit=batch_size):
        counts += work(claimed)
    return counts


def job_of(message_id: int) -> InboxJob:
    """The job of a message of Integration."""
    return InboxJob.objects.get(source="integration", message_id=message_id)


def drain_all(batch_size: int = 200) -> JobCounts:
    """As `drain`, for every source that reads a table, until a round brings nothing."""
    sources = [source for source in registry.sources() if source.reads]
    counts = NO_JOBS
    while True:
        came = sum(ingest(source).count + swept(source, SweepKind.LOOKBACK) for source in sources)
        for source in sources:
            while claimed := claim(source, worker_id="test", limit=batch_size):
                counts += work(claimed)
                came += len(claimed)
        if not came:
            return counts
