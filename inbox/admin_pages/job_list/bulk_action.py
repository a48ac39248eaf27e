"""Carries out an action on many jobs, those selected or all that match the list's filters, a batch per transaction.

The first POST, from the list, shows how many it would be and asks for a reason; only the second one does it, to exactly
the jobs of that page: its form carries them. What can go wrong: a job has changed since that page was shown (it is left
alone, and counted), the form's jobs are not those of this person, action and filters (it asks again), or there are more
jobs than one request has time for (what is done is done, and the page asks again for the rest).
"""

import time
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from inbox.admin_pages.job_list.seen_jobs import SeenJobs, look
from inbox.admin_pages.job_page.actions import ACTIONS, Action
from inbox.db import bounded_count
from inbox.db.planner import by_index
from inbox.operations.batches import BATCH

# Seconds that one request may work; a web server's own limit is often 30.
WITHIN_S = 15.0
TEMPLATE = "admin/inbox/job_many.html"


def is_of_selected(request: HttpRequest) -> bool:
    """The request is to act on jobs that were selected one by one."""
    return request.method == "POST" and request.POST.get("select_across") != "1"


def ask_about_many(admin: ModelAdmin, request: HttpRequest, jobs: Any, action: Action, says: str = "") -> HttpResponse:
    """The page that asks. `says` tells which jobs were looked through, if not all. Raises PermissionDenied."""
    _refuse_strangers(admin, request, action)
    # By key if keys are given: the planner may else take an index of all jobs in trouble, of which these may be a few.
    jobs = jobs.order_by(*(["pk"] if says or is_of_selected(request) else []))
    return _page(admin, request, action, action.form(), look(action.possible(jobs), says))


def act_on_many(admin: ModelAdmin, request: HttpRequest) -> HttpResponse | None:
    """Answer the POST of the page that asks; None if it is not that, so that the list has to ask.

    Raises PermissionDenied.
    """
    action = next((action for action in ACTIONS if action.name == request.POST.get("action")), None)
    if action is None:
        return None
    seen = SeenJobs.from_text(request.POST.get("seen", ""), _good_for(request, action))
    if seen is None:
        return None
    _refuse_strangers(admin, request, action)
    form = action.form(request.POST)
    if not form.is_valid():
        return _page(admin, request, action, form, seen)
    verb = action.deed(form.cleaned_data, request.user.get_username())
    deadline = time.monotonic() + WITHIN_S
    keys = list(seen.marks)
    done, in_use, changed, behind = 0, 0, 0, 0
    while behind < len(keys):
        batch = keys[behind : behind + BATCH]
        behind += len(batch)
        # In the order of the keys: the planner may else read all jobs in trouble, or all jobs, to find these few.
        with by_index():
            taken = verb(seen.unchanged(batch), limit=len(batch))
            left = set(batch).difference(taken)
            as_before = action.possible(seen.unchanged(left)).order_by("pk").values_list("pk", flat=True)
            locked = len(as_before) if left else 0
        done, in_use, changed = done + len(taken), in_use + locked, changed + len(left) - locked
        if time.monotonic() > deadline:
            break
    rest = seen.behind(behind)
    said = f"{action.label}: {done:,} {action.did}."
    if changed:
        said += f" Changed meanwhile and left alone: {changed:,}."
    if in_use:
        said += f" In use at that moment and left alone: {in_use:,}."
    if seen.says and not rest.marks:
        said += " These may not be all that match: if the list still finds some, the same can be done again."
    is_all = not (rest.marks or in_use or changed)
    admin.message_user(request, said, messages.SUCCESS if is_all else messages.WARNING)
    if rest.marks:
        return _page(admin, request, action, form, rest, is_rest=True)
    # So that a reload of the page does not do it again.
    return HttpResponseRedirect(request.get_full_path())


def _refuse_strangers(admin: ModelAdmin, request: HttpRequest, action: Action) -> None:
    if not request.user.has_perm(action.permission) or not admin.has_view_permission(request):
        raise PermissionDenied


def _good_for(request: HttpRequest, action: Action) -> str:
    """Nobody else's page will do, nor one of another action or, as a request can lose its query, of other filters."""
    return f"{request.user.pk} {action.name} {request.GET.urlencode()}"


def _page(
    admin: ModelAdmin, request: HttpRequest, action: Action, form: Any, seen: SeenJobs, *, is_rest: bool = False
) -> HttpResponse:
    is_all = request.POST.get("select_across") == "1"
    context = {
        **admin.admin_site.each_context(request),
        "title": f"{action.label}: many jobs",
        "opts": admin.opts,
        "action": action,
        "form": form,
        "media": admin.media + form.media,
        "count": len(seen.marks),
        "counted": f"{len(seen.marks):,}",
        "is_all": is_all,
        "is_rest": is_rest,
        "says": seen.says,
        "at_most": f"{bounded_count.LIMIT:,}",
        "within_s": f"{max(WITHIN_S, 0):g}",
        "filters": request.GET.urlencode(),
        "seen": seen.as_text(_good_for(request, action)),
        "checkbox": ACTION_CHECKBOX_NAME,
        # With all of them, one key says that something is selected.
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME)[: 1 if is_all else None],
    }
    return TemplateResponse(request, TEMPLATE, context)
