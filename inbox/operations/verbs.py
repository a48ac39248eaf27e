"""Operators' verbs on jobs. A new one is declared here and listed in OPERATIONS; pages, audit and guard follow.

A verb that moves a job in a new way also needs the move in inbox/statuses.py and in the trigger, by a migration. All
verbs keep the list of errors, and runs_alone: a job that killed its workers must not harm neighbours again. Failure
modes: the cause is still there. Then a requeued or corrected job dies again, with a longer history.
"""

import hashlib
from typing import Any

from django.db.models import F
from django.db.models.functions import Greatest, Now

from inbox.db.storable import storable
from inbox.engine.corrections import add_correction
from inbox.operations.operation import Operation
from inbox.statuses import DUE_STATUSES, Status

# The error of a job that was marked dead. The reason is a person's words and is kept in the audit only: error texts are
# counted, sent and compared.
MARKED_DEAD_KIND = "MarkedDead"
MARKED_DEAD_TEXT = "ended by an operator; the audit says why"


def _fresh_start(**_: Any) -> dict[str, Any]:
    return {
        "status": Status.NEW,
        "attempt_count": 0,
        "next_attempt_at": Now(),
        "waiting_since": None,
        "note": None,
        "finished_at": None,
        "finished_by": None,
    }


def _keep_correction(inbox_id: int, *, who: str, content: str, **_: Any) -> dict[str, str | int]:
    """The audit says how long the text is and gives its digest, never what it says."""
    add_correction(inbox_id, content, who=who)
    return {"characters": len(content), "sha256": hashlib.sha256(content.encode()).hexdigest()}


REQUEUE = Operation(
    name="requeue",
    label="Requeue",
    label_many="Requeue {jobs}",
    past="requeued",
    does="Runs it again now, with a fresh set of attempts.",
    takes=(Status.DEAD, Status.FAILED, Status.WAITING),
    changes=_fresh_start,
    leaves_dead=True,
)

# A wake may still make a WAITING job due sooner.
RESCHEDULE = Operation(
    name="reschedule",
    label="Change time",
    label_many="Change time of {jobs}",
    past="rescheduled",
    does="Sets when it is tried next. Nothing else changes.",
    takes=DUE_STATUSES,
    changes=lambda to, **_: {"next_attempt_at": to or Now()},
)

MARK_DEAD = Operation(
    name="mark-dead",
    label="Mark dead",
    label_many="Mark {jobs} dead",
    past="marked dead",
    does="Ends it without success. Only a requeue or a correction brings it back.",
    takes=DUE_STATUSES,
    changes=lambda who, **_: {
        "status": Status.DEAD,
        "error_kind": MARKED_DEAD_KIND,
        "last_error": MARKED_DEAD_TEXT,
        "waiting_since": None,
        "finished_at": Now(),
        "finished_by": storable(who, 200),
    },
    notifies=False,
)

# The job runs alone from then on: if it hung its worker, no neighbour hangs with it the next time. Writes of the old
# owner are refused, as its lease no longer holds the job.
RELEASE_LEASE = Operation(
    name="release-lease",
    label="Release lease",
    label_many="Release the leases of {jobs}",
    past="released",
    does="Takes it from its worker. It runs again from the start, alone, and the interrupted attempt does not count.",
    takes=(Status.PROCESSING,),
    changes=lambda **_: {
        "status": Status.NEW,
        "locked_by": None,
        "locked_at": None,
        "attempt_count": Greatest(F("attempt_count") - 1, 0),
        "runs_alone": True,
    },
)

# For one job only: `content` is the corrected message, JSON, and `message_type` what it is. DataError if not JSON.
CORRECT = Operation(
    name="correct",
    label="Correct and requeue",
    past="corrected",
    does="Handles the corrected message instead of the original, which is kept as it came.",
    takes=REQUEUE.takes,
    changes=lambda message_type, **_: {**_fresh_start(), "message_type": message_type, "is_corrected": True},
    permission="inbox.correct_job",
    leaves_dead=True,
    audited=("message_type",),
    also_writes=_keep_correction,
)

# Those that can be done to many jobs at once, too.
OPERATIONS = (REQUEUE, RESCHEDULE, MARK_DEAD, RELEASE_LEASE)
