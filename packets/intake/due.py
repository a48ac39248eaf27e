"""The due date of a request: 48 h (expedited) or 72 h (standard) after UTC midnight of the day it was received."""

import re
from datetime import datetime, timedelta
from typing import Any

from packets.codes import SubmissionType

WORDS = {
    **dict.fromkeys(("expedited", "expedite", "urgent", "rush"), SubmissionType.EXPEDITED),
    **dict.fromkeys(("standard", "normal", "routine", "regular"), SubmissionType.STANDARD),
}
HOURS = {SubmissionType.EXPEDITED: 48, SubmissionType.STANDARD: 72}


def submission_type(value: Any) -> SubmissionType | None:
    """The type that a word means, also with a suffix (expedited-initial); Standard if absent, None if unknown."""
    if value is None or value == "":
        return SubmissionType.STANDARD
    if not isinstance(value, str):
        return None
    word = re.match(r"[a-z]*", value.strip().lower())
    return WORDS.get(word.group()) if word else None


def due_date(received: datetime, submission: SubmissionType | None) -> datetime | None:
    """The time when a request received at `received` (UTC) is due; None if its type is unknown or the calendar ends."""
    if submission is None:
        return None
    midnight = received.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return midnight + timedelta(hours=HOURS[submission])
    except OverflowError:
        return None
