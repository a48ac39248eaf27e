"""Other programs take every connection that the server has, and each that becomes free, until they let go."""

import threading
import time
from contextlib import ExitStack

import psycopg

from tests.chaos.faults.fault import Fault
from tests.chaos.stage import CONNECTIONS

TRY_AGAIN_S = 0.005
# All sessions are ended, or every process would sit out the time on the one it has.
PUSH_OUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE application_name <> 'a stranger' AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class Strangers(threading.Thread):
    """Fills the server from `start` until `go`; `most` is how many connections they had at once."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.most = 0
        self._go = threading.Event()

    def run(self) -> None:
        with ExitStack() as all_of_them:
            taken: list[psycopg.Connection] = []
            while not self._go.is_set():
                try:
                    taken.append(all_of_them.enter_context(self._connect()))
                    self.most = max(self.most, len(taken))
                except psycopg.OperationalError:
                    if not self._push_out(taken):
                        # The server was restarted, and they have to begin again.
                        all_of_them.close()
                        taken.clear()
                    self._go.wait(TRY_AGAIN_S)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, application_name="a stranger", autocommit=True, connect_timeout=5)

    def _push_out(self, taken: list[psycopg.Connection]) -> bool:
        """False if they have no session that works."""
        try:
            taken[0].execute(PUSH_OUT)
        except (IndexError, psycopg.Error):
            return False
        return True

    def go(self) -> None:
        """Give all back."""
        self._go.set()
        self.join()


class BringStrangers(Fault):
    name = "strangers"
    does = "other programs take all connections of the server, and each that becomes free, for 3 to 6 s"
    weight = 0.3
    lasts_s = (3.0, 6.0)
    # No failover gets through: the new primary can't be told of its standby meanwhile.
    takes_server = True

    def begin(self, monkey):
        self._strangers = Strangers(monkey.stage.url)
        self._strangers.start()

    def end(self, monkey):
        self._strangers.go()
        monkey.most_strangers = max(monkey.most_strangers, self._strangers.most)


class StayingStrangers(BringStrangers):
    """So long that a planned crash strikes while they are there, and until they have had all connections."""

    lasts_s = (10.0, 10.0)
    longest_s = 60.0

    def is_over(self, monkey):
        is_full = self._strangers.most >= CONNECTIONS or time.monotonic() >= self.until + self.longest_s
        return is_full and super().is_over(monkey)
