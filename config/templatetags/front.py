"""The front page of the admin: one look at the inbox, for whoever may see its jobs."""

from typing import Any

from django import template
from django.db import Error
from django.http import HttpRequest

from config.web.charts import Chart, stacked
from inbox.db.storable import error_text
from inbox.monitoring.age import in_words
from inbox.monitoring.diagnosis import pauses
from inbox.monitoring.history import BUCKET_MIN, HOURS, Bucket
from inbox.monitoring.page_snapshot import take_snapshot

register = template.Library()


@register.simple_tag
def look(request: HttpRequest) -> dict[str, Any] | None:
    """What the page shows; None if this user may not see jobs."""
    if not request.user.has_perm("inbox.view_inboxjob"):
        return None
    try:
        front = take_snapshot(is_bounded=True)
    except Error as error:
        # The rest of the page may still work, and whoever comes here wants to know.
        return {"error": error_text(error)}
    history = front.history.history
    return {
        "front": front,
        "state": "Stalled" if front.stalls else "Running" if front.is_busy else "Idle",
        "finished": _chart(history, "done", "failed", "dead"),
        "failures": _chart(history, "failed", "dead"),
        "pauses": [said for _, said in pauses(front.seen)],
        "dead": front.seen.dead[:8],
        "hours": HOURS,
        "bucket_min": BUCKET_MIN,
    }


def _chart(history: list[Bucket], *kinds: str) -> Chart:
    columns = [(f"{bucket.at:%H:%M}", {kind: getattr(bucket, kind) for kind in kinds}) for bucket in history]
    return stacked(columns)


@register.filter
def age(number_s: float | None) -> str:
    """Seconds as people say them; a dash for None."""
    return in_words(number_s, unknown="-")


@register.filter
def thousands(number: int) -> str:
    """1234567 as 1,234,567."""
    return f"{number:,}"
