"""A job's statuses and the moves between them: the one table. The trigger of migration 0002 refuses all other moves.

`docs/state_machine.md` draws it; a test keeps table and trigger equal.
"""

from django.db import models


class Status(models.TextChoices):
    NEW = "NEW", "New"
    PROCESSING = "PROCESSING", "Processing"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed, will be tried again"
    WAITING = "WAITING", "Waiting for something"
    DEAD = "DEAD", "Dead"


# Claimable as soon as next_attempt_at has come.
DUE_STATUSES = (Status.NEW, Status.FAILED, Status.WAITING)
# Something went wrong, or is missing; few among many.
TROUBLED_STATUSES = (Status.FAILED, Status.WAITING, Status.DEAD)
# Nothing acts on these by itself.
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
        # an operator ends a job that can't succeed
        (Status.NEW, Status.DEAD),
        (Status.FAILED, Status.DEAD),
        (Status.WAITING, Status.DEAD),
    ]
)

# Allowed only in a transaction that says why: set_config('inbox.recorded_move', <reason>, is_local => true).
RECORDED_MOVES: frozenset[tuple[Status, Status]] = frozenset([(Status.DEAD, Status.NEW)])
