"""The list of jobs: a filter searches a bounded part of the table (`pick`), the search box all jobs."""

from django.db.models import QuerySet
from django.http import HttpRequest

from inbox.admin_pages.change_list import QuietChangeList
from inbox.admin_pages.job_list.bulk_action import is_of_selected
from inbox.admin_pages.job_list.pick import Picked, filters_of, pick
from inbox.db import bounded_count


class JobList(QuietChangeList):
    """A list whose keys `pick` gives. Jobs that were selected one by one are looked up as they are."""

    picked: Picked | None = None

    def searched(self, request: HttpRequest, rows: QuerySet) -> QuerySet:
        if self.query or is_of_selected(request):
            return rows
        if self.picked is None:
            self.picked = pick(filters_of(request.GET))
            # On the request too: an action on all jobs of the list asks with it.
            self.scope = request.scope = self.picked.scope  # type: ignore[attr-defined]
        return rows.filter(inbox_id__any_of=self.picked.keys[: bounded_count.LIMIT]) if self.scope else rows

    def get_keys(self) -> list[int]:
        return self.picked.keys if self.picked else super().get_keys()
