"""Does an operation to many jobs, those selected or all that match the list's filters, a batch per transaction.

The first POST, from the list, shows how many jobs it would be and asks for a reason. Only the second does it, to
exactly the jobs of that page: its form carries them. Failure modes: a job has changed since that page was shown (it
is skipped and counted), the form's jobs are not those of this person, operation and filters (the page asks again), or
there are more jobs than one request has time for (what is done stays done, and the page asks again for the rest).
"""

import time
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from inbox.admin_pages.guarded_form import form_page, refuse_strangers
from inbox.admin_pages.job_page.forms import form_of
from inbox.admin_pages.seen import SeenJobs, look
from inbox.db import bounded_count
from inbox.db.planner import by_index
from inbox.operations.batches import BATCH
from inbox.operations.operation import Operation, apply
from inbox.operations.verbs import OPERATIONS

# Seconds that one request may work; a web server's own limit is often 30.
WITHIN_S = 15.0


def is_of_selected(request: HttpRequest) -> bool:
    """True for a request to act on jobs that were selected one by one."""
    return request.method == "POST" and request.POST.get("select_across") != "1"


def ask_about_many(admin: ModelAdmin, request: HttpRequest, jobs: Any, operation: Operation) -> HttpResponse:
    """The page that asks. Raises PermissionDenied."""
    # Which jobs the list has searched, if not all.
    says = getattr(request, "scope", "")
    refuse_strangers(admin, request, operation)
    # By key if keys are given: the planner may else take an index of all jobs in trouble, of which these may be a few.
    jobs = jobs.order_by(*(["pk"] if says or is_of_selected(request) else []))
    return _page(admin, request, operation, form_of(operation)(), look(operation.possible(jobs), says))


def act_on_many(admin: ModelAdmin, request: HttpRequest) -> HttpResponse | None:
    """Answer the POST of the page that asks; None if it is not that, so that the list has to ask.

    Raises PermissionDenied.
    """
    operation = next((one for one in OPERATIONS if one.name == request.POST.get("action")), None)
    if operation is None:
        return None
    seen = SeenJobs.from_text(request.POST.get("seen", ""), _good_for(request, operation))
    if seen is None:
        return None
    refuse_strangers(admin, request, operation)
    form = form_of(operation)(request.POST)
    if not form.is_valid():
        return _page(admin, request, operation, form, seen)
    result = _apply_for_a_while(operation, seen, who=request.user.get_username(), **form.cleaned_data)
    rest = seen.behind(result.tried)
    is_all = not (rest.marks or result.changed or result.in_use)
    text = _says(operation, result, may_be_more=bool(seen.says) and not rest.marks)
    admin.message_user(request, text, messages.SUCCESS if is_all else messages.WARNING)
    if rest.marks:
        return _page(admin, request, operation, form, rest, is_rest=True)
    # So that a reload of the page does not do it again.
    return HttpResponseRedirect(request.get_full_path())


@dataclass(slots=True)
class Result:
    """How many jobs one request tried, and what became of them."""

    tried: int = 0
    done: int = 0
    changed: int = 0
    in_use: int = 0


def _apply_for_a_while(operation: Operation, seen: SeenJobs, **asked: Any) -> Result:
    """Apply the operation to the jobs that were seen, in batches, until all were tried or the time is up."""
    deadline = time.monotonic() + WITHIN_S
    result, keys = Result(), list(seen.marks)
    while result.tried < len(keys):
        batch = keys[result.tried : result.tried + BATCH]
        # In the order of the keys: the planner may else read all jobs in trouble, or all jobs, to find these few.
        with by_index():
            taken = apply(operation, seen.unchanged(batch), limit=len(batch), **asked)
            left = set(batch).difference(taken)
            as_before = operation.possible(seen.unchanged(left)).order_by("pk").values_list("pk", flat=True)
            in_use = len(as_before) if left else 0
        result.tried += len(batch)
        result.done += len(taken)
        result.in_use += in_use
        result.changed += len(left) - in_use
        if time.monotonic() > deadline:
            break
    return result


def _says(operation: Operation, result: Result, *, may_be_more: bool) -> str:
    text = f"{_jobs(result.done)} {operation.past}."
    if result.changed:
        text += f" Skipped because they changed after the page was shown: {result.changed:,}."
    if result.in_use:
        text += f" Skipped because they were in use: {result.in_use:,}."
    if may_be_more:
        text += " More jobs may match. If the list still finds some, do the same again."
    return text


def _jobs(count: int) -> str:
    return f"{count:,} job{'' if count == 1 else 's'}"


def _good_for(request: HttpRequest, operation: Operation) -> str:
    """Nobody else's page will do, nor one of another operation or, as a request can lose its query, other filters."""
    return f"{request.user.pk} {operation.name} {request.GET.urlencode()}"


def _page(
    admin: ModelAdmin, request: HttpRequest, operation: Operation, form: Any, seen: SeenJobs, *, is_rest: bool = False
) -> HttpResponse:
    is_all = request.POST.get("select_across") == "1"
    counted = _jobs(len(seen.marks))
    return form_page(
        admin,
        request,
        "admin/inbox/job_many.html",
        operation,
        form,
        title=operation.label_many.format(jobs=counted),
        count=len(seen.marks),
        counted=counted,
        is_all=is_all,
        is_rest=is_rest,
        says=seen.says,
        at_most=f"{bounded_count.LIMIT:,}",
        within_s=f"{max(WITHIN_S, 0):g}",
        filters=request.GET.urlencode(),
        seen=seen.as_text(_good_for(request, operation)),
        checkbox=ACTION_CHECKBOX_NAME,
        # With all of them, one key says that something is selected.
        selected=request.POST.getlist(ACTION_CHECKBOX_NAME)[: 1 if is_all else None],
    )
