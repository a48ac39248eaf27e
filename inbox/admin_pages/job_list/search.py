"""The search box of the job list: finds jobs by the ids that people have, each by its index."""

from uuid import UUID

from inbox.admin_pages.links import cases_of
from inbox.db import bounded_count
from inbox.db.distinct_values import sources_seen
from inbox.db.planner import by_index
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet

BIGGEST_KEY = 2**63 - 1


def find_jobs(term: str) -> set[int]:
    """The keys of the jobs with this inbox id, message id or tracking id, or of the case that the term names.

    At most `bounded_count.LIMIT` for each kind of id.
    """
    with by_index():
        if is_key(term):
            # The index of message ids begins with the source.
            by_message = InboxJob.objects.filter(source__in=sources_seen(), message_id=int(term))
            return _keys(by_message) | _keys(InboxJob.objects.filter(pk=int(term)))
        try:
            cases = cases_of(term) or [UUID(term)]
        except ValueError:
            return set()
        return _keys(InboxJob.objects.filter(decision_tracking_id__any_of=cases))


def is_key(text: str) -> bool:
    """True for a number that a job can have; Python refuses to read one of thousands of digits."""
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= BIGGEST_KEY


def _keys(jobs: JobQuerySet) -> set[int]:
    return set(jobs.order_by().values_list("pk", flat=True)[: bounded_count.LIMIT])
