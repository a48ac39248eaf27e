"""DEAD jobs for tests of requeueing."""

from inbox.models import InboxJob

REASON = "the other side is up again"


def status_of(made):
    """The status of the job now."""
    return InboxJob.objects.get(pk=made.pk).status


def dead_jobs(count, **fields):
    """So many DEAD jobs of the source `test`; returns their keys in order."""
    dead = {"source": "test", "message_type": "probe", "status": "DEAD", "last_error": "broken", "attempt_count": 5}
    made = [InboxJob(message_id=number, **dead | fields) for number in range(1, count + 1)]
    return [created.pk for created in InboxJob.objects.bulk_create(made)]
