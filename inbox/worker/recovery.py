"""Recovery: a worker's steps go on after a lost connection, a lost presence or a database that refuses.

Before each step, the claim that an earlier one left in hand is returned, and the registration is renewed. An outage is
told at its begin, now and then, and when it is over (outage.py), not at each try. Failure modes: both fail again; then
the next step tries again, after a pause.
"""

import random
import time
from collections.abc import Callable

from django.db import Error, connection

from inbox.db.blockers import refusal_text
from inbox.db.errors import is_connection_lost, is_refusal, is_server_away
from inbox.db.storable import error_text
from inbox.events import Event
from inbox.job_counts import JobCounts
from inbox.outage import Outage
from inbox.worker.calls import Calls
from inbox.worker.held_claim import HeldClaim
from inbox.worker.presence import PresenceLost
from inbox.worker.registration import Registration
from inbox.worker.schedule import Schedule
from inbox.worker.signals import Stop

RECONNECT_PAUSE_S = (0.1, 1.0)
# A server that is there and refuses, such as one whose disk is full, is asked ever less often: at most so many times.
SLOWER_AFTER = 5


class Recovery:
    """Holds the claim in hand; `counts` says what the worker has done so far."""

    def __init__(
        self,
        registration: Registration,
        schedule: Schedule,
        calls: Calls,
        stop: Stop,
        counts: Callable[[], JobCounts],
    ) -> None:
        self.held = HeldClaim()
        self._registration = registration
        self._schedule = schedule
        self._calls = calls
        self._stop = stop
        self._counts = counts
        self._outage = Outage(Event.STILL_AWAY, Event.BACK_AGAIN)

    def attempt(self, step: Callable[[], bool]) -> bool | None:
        """One step; None if the database refused it, by a lost connection or a timeout. Raises bugs."""
        try:
            self.held.give_back()
            self._renew_registration()
            moved = step()
        except Error as error:
            event = self._event_of(error)
            if event is None:
                raise
            tell = refusal_text if event is Event.DATABASE_REFUSED else error_text
            self._outage.failed(event, error=tell(error))
            self._let_go(event, error)
        else:
            self._outage.ended()
            return moved
        self._schedule.poll_now()
        # A wait ends at once when it should stop, and what is still to be written must not be tried without a pause.
        wait = time.sleep if self._stop.is_asked and self._calls else self._stop.wait
        wait(jittered_pause_s() * (min(self._outage.count, SLOWER_AFTER) if event is Event.DATABASE_REFUSED else 1))
        return None

    def _event_of(self, error: Error) -> Event | None:
        """The event that tells it; None for a bug."""
        if isinstance(error, PresenceLost):
            return Event.PRESENCE_LOST
        if is_connection_lost(error):
            return Event.CONNECTION_LOST
        return Event.DATABASE_REFUSED if is_refusal(error) else None

    def _let_go(self, event: Event, error: Error) -> None:
        if event is Event.CONNECTION_LOST:
            connection.close()
            self.held.connection_lost(error_text(error) if is_server_away(error) else None)
        if event is not Event.DATABASE_REFUSED:
            # The same cause may have broken the connection of the presence too, without a sign.
            self._drop_registration()

    def _renew_registration(self) -> None:
        if self._registration.renew(self._counts()):
            self._schedule.set_listening(self._registration.is_seen)
            # Before others take the claims for those of a process that is gone.
            self._calls.beat(self._registration.presence_id)
            # No notification told of what came before it listened.
            self._schedule.poll_now()
        if self._registration.has_notification():
            self._schedule.notified()

    def _drop_registration(self) -> None:
        self._registration.drop()
        self._schedule.set_listening(False)


def jittered_pause_s() -> float:
    """Seconds to wait before the next try, so that many workers don't come back at the same moment."""
    return random.uniform(*RECONNECT_PAUSE_S)  # noqa: S311 not a secret
