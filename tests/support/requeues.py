"""Jobs to be requeued."""

from inbox.models import InboxJob

REASON = "the other side is up again"


def status_of(made):
    return InboxJob.objects.get(pk=made.pk).status


def dead_jobs(count, **fields):
    """Returns their keys in order."""
    dead = {"source": "test", "message_type": "probe", "status": "DEAD", "last_error": "broken", "attempt_count": 5}
    made = [InboxJob(message_id=number, **dead | fields) for number in range(1, count + 1)]
    return [created.pk for created in InboxJob.objects.bulk_create(made)]
