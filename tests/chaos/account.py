"""The account of a run: the invariants, asked again and again while it lasts, and at its end."""

import threading
import time
from contextlib import suppress

import psycopg

from tests.chaos.domain.invariants import HARM as HARM_OF_DOMAIN
from tests.chaos.invariants import ACCOUNT, ALWAYS, AT_THE_END, broken

LOOK_EVERY_S = 1.0
# Looking takes this share of the time at most.
LONGEST_SHARE = 0.1
# The columns of harm, and the invariants that tell of it.
HARM = {
    "lost": ("every committed message has its job",),
    "twice": ("DONE and exactly one effect go together",),
    "reopened": ("nothing leaves DONE, and a witness never leaves DEAD",),
    "deadlocks": ("no deadlock reaches a job's errors",),
    "stuck": ("every job has ended",),
}
OTHER = "other"
COUNT_OPEN = """
SELECT (SELECT count(*) FROM chaos_message) - count(*) FILTER (WHERE source = 'chaos')
       + count(*) FILTER (WHERE status NOT IN ('DONE', 'DEAD'))
  FROM integration_inbox
"""


class Watch(threading.Thread):
    """Checks the invariants again and again; a violation that was found once is kept."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.found: dict[str, list[tuple]] = {}
        self.looks = 0
        self.stop = threading.Event()

    def run(self) -> None:
        pause_s = LOOK_EVERY_S
        while not self.stop.wait(pause_s):
            began = time.monotonic()
            with suppress(psycopg.OperationalError):  # the server is on its way up
                self.look()
            pause_s = max(LOOK_EVERY_S, (time.monotonic() - began) / LONGEST_SHARE)

    def end(self, still_open: dict[str, list[tuple]]) -> None:
        """Look for the last time; `still_open` is what has not ended by itself."""
        self.stop.set()
        self.join()
        if not self.found:
            self.found |= still_open
        self.look()

    def look(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            self.found |= broken(connection, ALWAYS)
        self.looks += 1

    def count_ended(self) -> int:
        return self._ask("SELECT count(*) FROM integration_inbox WHERE status IN ('DONE', 'DEAD')")

    def count_open(self) -> int:
        """Jobs that have not ended, and witness messages that are no jobs yet."""
        return self._ask(COUNT_OPEN)

    def _ask(self, query: str) -> int:
        with psycopg.connect(self.url, autocommit=True) as connection:
            [[count]] = connection.execute(query).fetchall()
        return count

    def what_is_open(self) -> dict[str, list[tuple]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return broken(connection, AT_THE_END)

    def in_all(self) -> dict[str, list[tuple]]:
        """The invariants that do not hold of everything; `look` sees what is new only."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return broken(connection, ACCOUNT)


def harm(found: dict[str, list[tuple]]) -> dict[str, int]:
    """Rows of harm by column; those of invariants that no column is for are `other`."""
    columns = {name: column for harms in (HARM, HARM_OF_DOMAIN) for column, names in harms.items() for name in names}
    counts = dict.fromkeys([*HARM, OTHER], 0)
    for name, rows in found.items():
        counts[columns.get(name, OTHER)] += len(rows)
    return counts
