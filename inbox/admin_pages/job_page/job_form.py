"""The form by which an operator does something to one job."""

from typing import Any

from django import forms

from inbox.admin_pages.guarded_form import GuardedForm, Refused
from inbox.admin_pages.job_list import banner
from inbox.admin_pages.job_page.forms import form_of
from inbox.admin_pages.seen import as_seen, seen
from inbox.models import InboxJob
from inbox.monitoring.lease import lease_of
from inbox.operations.operation import Operation, apply
from inbox.operations.submission import Submission


class JobForm(GuardedForm):
    template = "admin/inbox/job_action.html"
    in_use = "a worker has the job locked; try again in a moment"
    row: InboxJob
    asked: Operation

    @property
    def row_name(self) -> str:
        return f"Job {self.row.pk}"

    @property
    def seen(self) -> str:
        return seen(self.row)

    @property
    def status(self) -> str:
        return f"The job is {self.row.status}."

    def read(self) -> None:
        super().read()
        banner.forget()

    def why_not(self) -> str | None:
        return None if self.row.status in self.asked.takes else f"the job is {self.row.status}"

    def make_form(self, data: Any = None) -> forms.Form:
        return form_of(self.asked)(data)

    def perform(self, typed: dict[str, Any], sent: Submission) -> bool:
        jobs = as_seen(self.row.pk, self.seen_before)
        if apply(self.asked, jobs, who=self.who, limit=1, submission=sent, **typed):
            return True
        is_unchanged = as_seen(self.row.pk, self.seen_before).exists()
        raise Refused(self.in_use if is_unchanged else "the job has changed since this form was shown")

    def context(self, form: forms.Form) -> dict[str, Any]:
        return {"job": self.row, "lease": lease_of(self.row)}
