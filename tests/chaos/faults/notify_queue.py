"""The queue of notifications is full, as a stranger listens and stays idle in a transaction."""

from contextlib import ExitStack, suppress

import psycopg

from tests.chaos.faults.fault import Fault
from tests.support.servers import notify_queue


class FillNotifyQueue(Fault):
    name = "NOTIFY queue full"
    does = "a listener idle in a transaction blocks the queue, which others fill, for 2 to 6 s"
    weight = 0.5
    lasts_s = (2.0, 6.0)

    @classmethod
    def missing(cls, stage):
        return None if stage.has_small_notify_queue else "PostgreSQL 17, whose queue can be made small"

    def begin(self, monkey):
        with ExitStack() as ends:
            listener = ends.enter_context(monkey.stage.connect())
            ends.enter_context(notify_queue.blocked(listener))
            with monkey.stage.connect() as connection:
                notify_queue.fill(connection)
            self._ends = ends.pop_all()

    def end(self, monkey):
        # If the server has ended the session meanwhile, the queue is free.
        with suppress(psycopg.Error):
            self._ends.close()
