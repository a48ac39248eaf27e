"""Clicks of operators, for races: the admin's own forms, without a browser."""

from collections.abc import Callable
from uuid import uuid4

from django.contrib.admin import site
from django.contrib.auth.models import User
from django.contrib.messages.storage.cookie import CookieStorage
from django.test import RequestFactory

from inbox.admin_pages.job_page.job_form import JobForm
from inbox.admin_pages.read_only import ReadOnlyAdmin
from inbox.admin_pages.seen import seen
from inbox.models import InboxJob
from inbox.operations.operation import Operation

# The answer of a form: it leads back to the job with a message, or it is shown again as a conflict.
DONE, REFUSED = 302, 409


def click(asked: Operation, job: InboxJob, form: type[JobForm] = JobForm, **typed: str) -> Callable[[], int]:
    """A step that submits this form, as a person sees it now; its value is the status of the answer.

    To take the step twice is a double click.
    """
    admin = site.get_model_admin(InboxJob)
    assert isinstance(admin, ReadOnlyAdmin)  # noqa: S101 for the types
    data = {"seen": seen(job), "request_id": str(uuid4()), "reason": "to prove a lock"} | typed

    def submit() -> int:
        request = RequestFactory().post("/", data)
        request.user = User(username="verify", is_active=True, is_superuser=True)
        request._messages = CookieStorage(request)  # type: ignore[attr-defined]
        return form(admin, request, job.pk, asked).answer().status_code

    submit.__qualname__ = asked.verb
    return submit
