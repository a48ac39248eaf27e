"""The front page of the admin: a snapshot of the inbox, for users who may see its jobs."""

from typing import Any

from django import template
from django.conf import settings
from django.db import Error
from django.http import HttpRequest

from config.web.charts import Chart, stacked
from inbox.db.storable import error_text
from inbox.monitoring.age import in_words
from inbox.monitoring.diagnosis import find_stalls, pauses, state
from inbox.monitoring.ended_jobs import dead_by_reason
from inbox.monitoring.history import BUCKET_MIN, HOURS, Bucket, take_history
from inbox.monitoring.snapshot import take_page_snapshot

# A fifth of what inbox_status reads: everyone who watches the page asks for it every few seconds.
NEWEST = 20_000
REASONS = 8

register = template.Library()


@register.simple_tag
def front_page(request: HttpRequest) -> dict[str, Any] | None:
    """The content of the page; None if this user may not see jobs."""
    if not request.user.has_perm("inbox.view_inboxjob"):
        return None
    try:
        return _content()
    except Error as error:
        # The rest of the page may still work, and users come here to find out.
        return {"error": error_text(error)}


def _content() -> dict[str, Any]:
    snapshot = take_page_snapshot(NEWEST)
    stalls = find_stalls(snapshot)
    history = take_history()
    return {
        "snapshot": snapshot,
        "stalls": stalls,
        "state": state(snapshot, stalls),
        "history": history,
        "finished": _chart(history.buckets, "done", "failed", "dead"),
        "failures": _chart(history.buckets, "failed", "dead"),
        "pauses": pauses(snapshot),
        "dead": dead_by_reason(snapshot.ended, REASONS),
        "budget": settings.DB_CONNECTION_BUDGET,
        "hours": HOURS,
        "bucket_min": BUCKET_MIN,
    }


def _chart(buckets: list[Bucket], *kinds: str) -> Chart:
    columns = [(f"{bucket.at:%H:%M}", {kind: getattr(bucket, kind) for kind in kinds}) for bucket in buckets]
    return stacked(columns)


@register.filter
def age(number_s: float | None) -> str:
    """Seconds as people say them; a dash for None."""
    return in_words(number_s, unknown="-")


@register.filter
def thousands(number: int) -> str:
    """1234567 as 1,234,567."""
    return f"{number:,}"
