"""The statuses of a job and the one table of allowed moves. The trigger of migration 0002 refuses all other moves.

`docs/state_machine.md` draws the table; a test keeps table and trigger equal.
"""

from django.db import models


class Status(models.TextChoices):
    NEW = "NEW", "New"
    PROCESSING = "PROCESSING", "Processing"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed, will be tried again"
    WAITING = "WAITING", "Waiting for something"
    DEAD = "DEAD", "Dead"


# Claimed once next_attempt_at is reached.
DUE_STATUSES = (Status.NEW, Status.FAILED, Status.WAITING)
# Something failed or is missing. Few jobs have these.
TROUBLED_STATUSES = (Status.FAILED, Status.WAITING, Status.DEAD)
# No worker acts on these.
ENDED_STATUSES = (Status.DONE, Status.DEAD)

ALLOWED_MOVES: frozenset[tuple[Status, Status]] = frozenset(
    [
        # claim
        (Status.NEW, Status.PROCESSING),
        (Status.FAILED, Status.PROCESSING),
        (Status.WAITING, Status.PROCESSING),
        # finish, fail
        (Status.PROCESSING, Status.DONE),
        (Status.PROCESSING, Status.FAILED),
        (Status.PROCESSING, Status.WAITING),
        (Status.PROCESSING, Status.DEAD),
        # give back, reclaim
        (Status.PROCESSING, Status.NEW),
        # requeue, wake
        (Status.FAILED, Status.NEW),
        (Status.WAITING, Status.NEW),
        # mark dead
        (Status.NEW, Status.DEAD),
        (Status.FAILED, Status.DEAD),
        (Status.WAITING, Status.DEAD),
    ]
)

# Allowed only in a transaction that gives a reason: set_config('inbox.recorded_move', <reason>, is_local => true).
RECORDED_MOVES: frozenset[tuple[Status, Status]] = frozenset([(Status.DEAD, Status.NEW)])
