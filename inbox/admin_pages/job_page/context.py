"""The page of a job: its state and lease, the possible actions, its history, its message and related pages."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from inbox.admin_pages.job_page.content import content_of
from inbox.admin_pages.job_page.correction import why_not
from inbox.admin_pages.job_page.timeline import LIMIT, has_response, timeline
from inbox.admin_pages.json_text import payload_html
from inbox.admin_pages.links import links_of
from inbox.admin_pages.privacy import REVEAL, is_revealed
from inbox.models import InboxAudit, InboxJob
from inbox.monitoring.lease import lease_of
from inbox.monitoring.waiting import why_waiting
from inbox.operations.verbs import CORRECT, OPERATIONS

# Other jobs of the case that the page links; a search shows the rest.
OTHERS = 20


def job_context(request: HttpRequest, job: InboxJob) -> dict[str, Any]:
    """The context of the page's template. The message is redacted, unless the request reveals it."""
    may = request.user.has_perm
    revealed = is_revealed(request)
    audit = InboxAudit.objects.filter(object=f"job:{job.pk}").order_by("-pk")
    deeds = list(audit[:LIMIT]) if may("inbox.view_inboxaudit") else []
    content = content_of(job)
    may_correct = may(CORRECT.permission) and may(REVEAL)
    impossible = why_not(job, content)
    others = _others(job)
    return {
        "job": job,
        "lease": lease_of(job),
        "why_waiting": why_waiting(job),
        "buttons": _buttons(request, job),
        "events": timeline(job, deeds, is_revealed=revealed),
        "links": links_of(job, may),
        "others": others[:OTHERS],
        "has_more_others": len(others) > OTHERS,
        "deeds": deeds,
        "content": content,
        "payload": payload_html(content.original, is_revealed=revealed) if content else None,
        "correction": payload_html(content.corrected, is_revealed=revealed) if content else None,
        "may_reveal": may(REVEAL) and (content is not None or has_response(job)),
        "may_correct": may_correct and impossible is None,
        "uncorrectable": impossible if may_correct and content and job.status in CORRECT.takes else None,
    }


def _buttons(request: HttpRequest, job: InboxJob) -> list[tuple[str, str]]:
    return [
        (action.label, reverse(f"admin:inbox_inboxjob_{action.name}", args=[job.pk]))
        for action in OPERATIONS
        if request.user.has_perm(action.permission) and job.status in action.takes
    ]


def _others(job: InboxJob) -> list[InboxJob]:
    """The newest other jobs of the case; one more than OTHERS if there are more."""
    if job.decision_tracking_id is None:
        return []
    jobs = InboxJob.objects.filter(decision_tracking_id=job.decision_tracking_id).exclude(pk=job.pk)
    return list(jobs.only("inbox_id", "message_type", "status").order_by("-inbox_id")[: OTHERS + 1])
