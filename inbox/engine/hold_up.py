"""Hold up: jobs that the database refused for no fault of theirs go back to NEW with their attempt, due a little later.

Nobody's attempt is spent while a table is locked, the disk is full or the server is out of memory. This process leaves
the message type alone for the same time, which grows while it goes on, so that nothing spins and each pause costs one
wait for a lock; other types go on. The first try that works ends it. Failure mode: the database refuses this too; then
the claim stays in hand, and the worker gives it back later.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from inbox.db.storable import storable
from inbox.events import Event, emit
from inbox.job_counts import JobCounts
from inbox.models import InboxJob
from inbox.outage import Outage
from inbox.registry import Source

# 1, 2, 4 and then 5 s: work goes on within seconds after its cause has gone, and a try every five seconds costs little.
LONGEST_PAUSE_S = 5.0
# For a job that is refused while others are not, as somebody has locked its packet: a quarter of its wait so far.
LONGEST_PAUSE_ALONE_S = 30.0
# Up to a fifth less, so that many workers don't try at the same moment.
JITTER = 0.2
# A refusal so long after the last pause has another cause: meanwhile, others did the work that this process left alone.
FORGET_AFTER_S = 120.0
NEVER_S = 1e9
FIRST_PAUSE_ALONE_S = 1.0
# The note of a held-up job begins with it.
HELD_UP = "held up: "

# Jobs wait since the first time, so the pause of a job alone grows without a count of its own. How long it waited for a
# message before that does not count.
HOLD_UP = """
UPDATE integration_inbox AS job
   SET status = 'NEW', locked_by = NULL, locked_at = NULL, attempt_count = greatest(job.attempt_count - 1, 0),
       next_attempt_at = now() + interval '1 second' * CASE WHEN job.inbox_id = ANY(%(alone)s) THEN
           least(%(longest_s)s, greatest(%(pause_s)s, extract(epoch FROM now() - held.since) / 4))
           ELSE %(pause_s)s END,
       waiting_since = held.since, note = %(why)s, updated_at = now(),
       runs_alone = job.runs_alone OR job.inbox_id = ANY(%(alone)s)
  FROM (SELECT inbox_id, CASE WHEN starts_with(note, %(held_up)s) THEN coalesce(waiting_since, now()) ELSE now() END
          FROM integration_inbox WHERE inbox_id = ANY(%(inbox_ids)s)) AS held (inbox_id, since)
 WHERE job.inbox_id = held.inbox_id
"""


def hold_up(lease_id: UUID, inbox_ids: Sequence[int], why: str, *, pause_s: float, alone: Sequence[int]) -> int:
    """Return those of `inbox_ids` that this lease still holds, due in `pause_s` seconds; returns how many.

    Those of `alone` were refused by themselves: from now on each is claimed alone, and its pause grows with its wait.
    """
    values: dict[str, Any] = {
        "why": storable(HELD_UP + why),
        "held_up": HELD_UP,
        "pause_s": pause_s,
        "longest_s": LONGEST_PAUSE_ALONE_S,
    }
    with transaction.atomic():
        held = InboxJob.objects.held(lease_id, inbox_ids).lock_keys()
        with connection.cursor() as cursor:
            cursor.execute(HOLD_UP, {**values, "alone": list(alone), "inbox_ids": held})
    if held:
        emit(Event.HELD_UP, JobCounts(given_back=len(held)), reason=why)
    return len(held)


def is_held_up(inbox_ids: Sequence[int], why: str) -> bool:
    """True if one of the jobs was last held up for this very reason."""
    return InboxJob.objects.filter(inbox_id__any_of=inbox_ids, note=storable(HELD_UP + why)).exists()


@dataclass(slots=True)
class _Held:
    """A message type, or the rows of a source, that this process leaves alone until then."""

    until: float = 0.0
    has_opened: bool = False
    outage: Outage = field(default_factory=lambda: Outage(Event.HOLD_UP_GOES_ON, Event.HOLD_UP_ENDED))


class HoldUps:
    """The message types that one process leaves alone at the moment, by source and message type."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], _Held] = {}

    def __bool__(self) -> bool:
        """True if something is left alone, or was and has not been tried since: to look for work would wait for it."""
        return any(not held.has_opened for held in self._held.values())

    def begin(self, source: Source, what: str, reason: str, event: Event = Event.HOLD_UP_BEGAN) -> float:
        """Leave `what` of the source alone; returns for how many seconds. Tells of it by `event`, and now and then."""
        held = self._held.get((source.name, what))
        if held is None or time.monotonic() - held.until > FORGET_AFTER_S:
            held = self._held[source.name, what] = _Held()
        held.outage.failed(event, source=source.name, message_type=what, reason=reason)
        pause_s = min(2.0 ** min(held.outage.count - 1, 10), LONGEST_PAUSE_S)
        pause_s *= random.uniform(1 - JITTER, 1)  # noqa: S311 not a secret
        held.until, held.has_opened = time.monotonic() + pause_s, False
        return pause_s

    def end(self, source: Source, what: str) -> None:
        """It has worked."""
        if held := self._held.pop((source.name, what), None):
            held.outage.ended(source=source.name, message_type=what)

    def is_open(self, source: Source, what: str) -> bool:
        """It may be tried."""
        held = self._held.get((source.name, what))
        return held is None or held.until <= time.monotonic()

    def open_types(self, source: Source) -> tuple[str, ...]:
        """The message types of the source that may be claimed."""
        return tuple(name for name in source.message_types if self.is_open(source, name))

    def have_opened(self) -> bool:
        """True once after a pause has ended: it is time to try."""
        now = time.monotonic()
        opened = [held for held in self._held.values() if not held.has_opened and held.until <= now]
        for held in opened:
            held.has_opened = True
        return bool(opened)

    def due_in_s(self) -> float:
        """Seconds until the next pause ends."""
        now = time.monotonic()
        return min((max(held.until - now, 0.0) for held in self._held.values() if not held.has_opened), default=NEVER_S)
