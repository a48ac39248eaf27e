"""Carries out an action on many jobs, those selected or all that match the list's filters, a batch per transaction.

The first POST, from the list, shows how many it would be and asks for a reason; only the second one does it. What can
go wrong: a job has changed since that page was shown (it is left alone, and counted), the filters are not those of
that page (it asks again), or there are more jobs than one request has time for (what is done is done, and the page asks
again for the rest).
"""

import time
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime

from inbox import capped
from inbox.by_index import by_index
from inbox.in_batches import in_batches
from inbox.job_page.actions import Action
from inbox.models.job import JobQuerySet

# Seconds that one request may work; a web server's own limit is often 30.
WITHIN_S = 15.0
TEMPLATE = "admin/inbox/job_many.html"


def is_of_selected(request: HttpRequest) -> bool:
    """The request is to act on jobs that were selected one by one."""
    return request.method == "POST" and request.POST.get("select_across") != "1"


def act_on_many(
    admin: ModelAdmin, request: HttpRequest, jobs: Any, action: Action, says: str = ""
) -> HttpResponse | None:
    """Ask, or do it if the person has answered. `says` tells which jobs were looked through, if not all.

    Raises PermissionDenied.
    """
    if not request.user.has_perm(action.permission):
        raise PermissionDenied
    # By key if keys are given: the planner may else take an index of all jobs in trouble, of which these may be a few.
    jobs = action.possible(jobs.order_by(*(["pk"] if says or is_of_selected(request) else [])))
    # Of a request that has lost its filters on the way, all jobs would be meant.
    is_confirmed = "confirmed" in request.POST and request.POST.get("filters") == request.GET.urlencode()
    shown_at = parse_datetime(request.POST.get("shown_at", "")) if is_confirmed else None
    if shown_at is None:
        return _ask(admin, request, jobs, action, action.form(), _now(), says)
    form = action.form(request.POST)
    if not form.is_valid():
        return _ask(admin, request, jobs, action, form, shown_at, says)
    # What has changed since the person saw the count is not what was decided upon.
    as_shown = jobs.filter(updated_at__lte=shown_at)
    # Of the rest, what has changed is what the request before did itself.
    changed = 0 if "is_rest" in request.POST else _capped(jobs.filter(updated_at__gt=shown_at))
    verb = action.deed(form.cleaned_data, request.user.get_username())
    done, left_alone, is_all = 0, 0, True
    deadline = time.monotonic() + WITHIN_S
    for batch in in_batches(as_shown, verb):
        done += len(batch.inbox_ids)
        left_alone += len(batch.left_alone)
        if time.monotonic() > deadline:
            is_all = False
            break
    said = f"{action.label}: {done:,} {action.did}."
    if changed:
        said += f" Changed meanwhile and left alone: {changed}."
    if left_alone:
        said += f" In use at that moment and left alone: {left_alone:,}."
    if says and is_all:
        said += " Only a part of the jobs was looked through: if the list still finds some, the same can be done again."
    admin.message_user(request, said, messages.SUCCESS if is_all and not left_alone else messages.WARNING)
    if not is_all and as_shown.exists():
        return _ask(admin, request, as_shown, action, form, shown_at, says, is_rest=True)
    return None


def _ask(
    admin: ModelAdmin,
    request: HttpRequest,
    jobs: JobQuerySet,
    action: Action,
    form: Any,
    shown_at: Any,
    says: str,
    *,
    is_rest: bool = False,
) -> HttpResponse:
    is_all = request.POST.get("select_across") == "1"
    context = {
        **admin.admin_site.each_context(request),
        "title": f"{action.label}: many jobs",
        "opts": admin.opts,
        "action": action,
        "form": form,
        "media": admin.media + form.media,
        "count": _capped(jobs),
        "is_all": is_all,
        "is_rest": is_rest,
        "says": says,
        "at_most": f"{capped.LIMIT:,}",
        "within_s": f"{max(WITHIN_S, 0):g}",
        "filters": request.GET.urlencode(),
        "shown_at": shown_at.isoformat(),
        "checkbox": ACTION_CHECKBOX_NAME,
        # With all of them, one key says that something is selected.
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME)[: 1 if is_all else None],
        "action_name": request.POST.get("action"),
    }
    return TemplateResponse(request, TEMPLATE, context)


def _capped(jobs: JobQuerySet) -> int:
    with by_index():
        return capped.capped(jobs[: capped.LIMIT + 1].count())


def _now() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        return cursor.fetchone()[0]
