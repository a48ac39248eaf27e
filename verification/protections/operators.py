"""Protections of what operators do."""

from typing import Any

from inbox.models import InboxJob
from verification.patches import patched
from verification.row import Protection


def _keys(jobs: Any, limit: int | None = None) -> list[int]:
    return list(jobs.order_by("inbox_id").values_list("inbox_id", flat=True)[:limit])


LOCKS_THE_JOB = Protection(
    "locks-the-job",
    "an operation locks the jobs that it takes, and leaves those that others have locked",
    lambda: patched("inbox.models.job:JobQuerySet.lock_keys", lambda plain: _keys),
)
TAKES_WHAT_WAS_SEEN = Protection(
    "takes-what-was-seen",
    "an operation takes a job only with the status, the lease and the time that the person saw",
    lambda: patched(
        "inbox.admin_pages.job_page.job_form:as_seen",
        lambda plain: lambda inbox_id, text: InboxJob.objects.filter(pk=inbox_id),
    ),
)
LOCKS_THE_FORM = Protection(
    "locks-the-form",
    "of two clicks on one form the second waits for the first, by an advisory lock on the form's id",
    lambda: patched("inbox.admin_pages.guarded_form:lock_submission", lambda plain: lambda request_id: None),
)
KNOWS_THE_FORM = Protection(
    "knows-the-form",
    "the audit tells what a form has done already",
    lambda: patched("inbox.admin_pages.guarded_form:earlier_digest", lambda plain: lambda name, request_id: None),
)
