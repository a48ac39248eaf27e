"""The statuses of a job and the one table of allowed moves. The trigger of migration 0002 refuses all other moves.

`docs/state_machine.md` draws the table; a test keeps table and trigger equal.
"""

from itertools import product

from django.db import models


class Status(models.TextChoices):
    NEW = "NEW", "New"
    PROCESSING = "PROCESSING", "Processing"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed, will be retried"
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
        *product(DUE_STATUSES, [Status.PROCESSING]),  # claim
        *product([Status.PROCESSING], [Status.DONE, Status.FAILED, Status.WAITING, Status.DEAD]),  # finish, fail
        (Status.PROCESSING, Status.NEW),  # give back, reclaim, release a lease
        *product([Status.FAILED, Status.WAITING], [Status.NEW]),  # requeue, wake
        *product(DUE_STATUSES, [Status.DEAD]),  # mark dead
    ]
)

# Allowed only in a transaction that gives a reason: set_config('inbox.recorded_move', <reason>, is_local => true).
RECORDED_MOVES: frozenset[tuple[Status, Status]] = frozenset([(Status.DEAD, Status.NEW)])
