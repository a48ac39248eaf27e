"""Registration: a worker's row of inbox_worker, its presence, and its share of the database connections.

While connections are scarce a worker has no connection for its presence and takes small batches; as soon as there are
enough again, it registers anew. Failure modes: the presence is lost (the worker drops it, claims nothing, and
registers again), or there is no way to have one, as DATABASE_DIRECT_URL leads nowhere or never answers (the worker goes
on without, and tries again now and then). Settings: those of db/connection_budget.py.
"""

from collections.abc import Callable

from django.db import OperationalError

from inbox.db.connection_budget import EASE_AT, TIGHT_AT, Level, count_connections
from inbox.db.storable import error_text
from inbox.events import Event, emit
from inbox.job_counts import JobCounts
from inbox.worker.direct_way import NotYet
from inbox.worker.liveness import sign_off
from inbox.worker.presence import Presence
from inbox.worker.timer import Timer

# And before each connection that is opened. More often, an idle worker would send over two queries a second.
COUNT_CONNECTIONS_EVERY_S = 45.0
# Soon, as most servers are away for a moment only, and then less often.
TRY_PRESENCE_EVERY_S = (1.0, 60.0)


class Registration:
    """The registration of the worker `worker_id`; `register` makes a Presence, and without it there is none.

    `register` takes `has_own_connection`, which is false while connections are scarce.
    """

    def __init__(self, worker_id: str, register: Callable[..., Presence] | None) -> None:
        self.worker_id = worker_id
        self.register = register
        self.presence: Presence | None = None
        # Connections are scarce: use no more of them, and hold what is there for a shorter time.
        self.is_tight = False
        self.counting = Timer(COUNT_CONNECTIONS_EVERY_S)
        self.trying = Timer(TRY_PRESENCE_EVERY_S[0])
        self._is_refusal_told = False
        self._level = Level.FINE

    @property
    def id(self) -> int | None:
        """The key of the row of inbox_worker."""
        return self.presence.id if self.presence else None

    @property
    def presence_id(self) -> int | None:
        """The mark of this process on its claims; None if others can't see whether it is alive."""
        return self.presence.presence_id if self.presence else None

    @property
    def is_seen(self) -> bool:
        """Others see at once when this process is gone, and it receives notifications of new work."""
        return self.presence is not None and self.presence.is_seen

    def renew(self, counts: JobCounts) -> bool:
        """Register if this process is not; True if it has just done so. Raises OperationalError, and PresenceLost.

        Without a connection of its own it is makeshift: claims are reclaimed by age, polling finds the work.
        """
        if self.register is None:
            return False
        self._count_connections()
        before = self.presence
        if before is not None and not before.is_makeshift:
            return False
        refusal: OperationalError | None = None
        if not self.is_tight and self.trying.is_due():
            try:
                self.presence = self.register()
                self.trying = Timer(TRY_PRESENCE_EVERY_S[0])
                self._is_refusal_told = False
            except OperationalError as error:
                refusal = error
        if self.presence is None:
            # If the database itself is away this raises, and nothing is said yet of a connection of its own.
            self.presence = self.register(has_own_connection=False)
        if refusal:
            self._note(refusal)
        if self.presence is before:
            return False
        if before is not None:
            sign_off(before.id, counts)
        emit(Event.REGISTERED, worker=self.presence.id, worker_id=self.worker_id)
        return True

    def _note(self, refusal: OperationalError) -> None:
        """Tell that there is no presence, once, and set the time of the next try."""
        if not self._is_refusal_told:
            emit(Event.WITHOUT_PRESENCE, error=error_text(refusal))
            self._is_refusal_told = True
        if isinstance(refusal, NotYet):
            self.trying.restart()
            self.trying.bring_forward(TRY_PRESENCE_EVERY_S[0])
        else:
            self.trying.restart(min(self.trying.every_s * 2, TRY_PRESENCE_EVERY_S[1]))

    def has_notification(self) -> bool:
        """True if there may be new work; never waits. Raises PresenceLost."""
        return self.presence is not None and self.presence.is_seen and self.presence.has_notification()

    def drop(self) -> None:
        """Close the presence. Its row stays RUNNING, so that anyone reclaims at once what it still holds."""
        if self.presence is not None:
            self.presence.close()
        self.presence = None

    def end(self, counts: JobCounts, *, leaves_jobs: bool) -> None:
        """Sign off, unless jobs stay behind: those of a process that is RUNNING and gone are reclaimed at once."""
        if self.presence is None:
            return
        try:
            if not leaves_jobs:
                sign_off(self.presence.id, counts)
                emit(Event.STOPPED, counts, worker=self.presence.id)
        finally:
            self.presence.close()

    def _count_connections(self) -> None:
        """See how many connections all processes use together, warn, and do with less while they are scarce."""
        if self.presence is not None and not self.counting.is_due():
            return
        found = count_connections()
        self.counting.restart()
        if found.level > self._level and found.warning:
            emit(Event.CONNECTIONS_SCARCE, reason=found.warning)
        elif found.level is Level.FINE and self._level is not Level.FINE:
            emit(Event.CONNECTIONS_FREE, count=found.background)
        self._level = found.level
        self.is_tight = found.used >= (EASE_AT if self.is_tight else TIGHT_AT)
