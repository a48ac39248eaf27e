"""Writes messages as badly as other programs do: commits late, rolls back, repeats times, writes garbage."""

import json
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from typing import ClassVar
from uuid import UUID

import psycopg

BAD_PAYLOADS = ["null", "[]", "1", '"text"', "{}", '{"kind": {}}', '{"kind": "no such"}']
ODD_TIMES = ["-infinity", "4000-01-01 BC", "infinity", "20000-01-01", "2999-01-01"]
# So many that most who wait do wait, and few enough that someone brings what they wait for.
CASES = 1000
# Rows of one time in the backlog, written in a random order of ids; not so many that the ingest's limit, which is 100,
# always cuts between two times.
TIES = 70
LONGEST_LATE_S = 3.0


def connect(url: str, **options) -> psycopg.Connection:
    """Behind a pooler, too."""
    return psycopg.connect(url, prepare_threshold=None, **options)


class MessageIds:
    """Each id once, in blocks of shuffled order: ids say nothing of time."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._next = 1
        self._block: list[int] = []
        self._lock = threading.Lock()

    def take(self, count: int = 1) -> list[int]:
        with self._lock:
            while len(self._block) < count:
                fresh = list(range(self._next, self._next + 5000))
                self._next += 5000
                self._rng.shuffle(fresh)
                self._block += fresh
            return [self._block.pop() for _ in range(count)]


def write_backlog(url: str, ids: MessageIds, rng: random.Random, count: int) -> None:
    """So many rows of the last six hours, many of one time."""
    with connect(url) as connection, connection.cursor() as cursor:
        for number, message_id in enumerate(ids.take(count)):
            age_s = 6 * 3600 * (1 - number // TIES * TIES / count) + 60
            _insert(cursor, message_id, _payload(rng), rng.randrange(CASES), f"now() - interval '{age_s:.0f} seconds'")
        # Nobody reads yet: the polls will find these, from the oldest on.
        cursor.execute("UPDATE chaos_message SET is_beyond_lookback = false")


class Producer(threading.Thread, ABC):
    """One program that writes; `stop` ends it after the transaction in hand. A subclass says what it writes."""

    # How often it makes each kind of transaction, in proportion.
    weights: ClassVar[dict[str, int]] = {
        "plain": 6, "late_commit": 1, "savepoint": 1, "rollback": 1, "tie": 1, "odd_time": 1,
    }  # fmt: skip

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.rng = random.Random(seed)
        self.stop = threading.Event()
        self.counts: Counter[str] = Counter()
        self.error: str | None = None
        self._late: list[tuple[float, psycopg.Connection]] = []

    @abstractmethod
    def write(self, cursor: psycopg.Cursor, created_at: str = "now()") -> None:
        """Write one message in the transaction of this cursor; `created_at` is SQL."""

    def run(self) -> None:
        try:
            self._write_until_stopped()
        except Exception as error:
            self.error = repr(error)
            raise

    def _write_until_stopped(self) -> None:
        connection: psycopg.Connection | None = None
        while not self.stop.is_set():
            [action] = self.rng.choices(list(self.weights), list(self.weights.values()))
            try:
                connection = connection or connect(self.url, autocommit=True)
                getattr(self, f"_{action}")(connection)
                self.counts[action] += 1
                self._commit_late_ones(time.monotonic())
            except (psycopg.Error, psycopg.Rollback):
                # Whether a lost COMMIT arrived, only the table knows; nobody writes that message again. A Rollback
                # comes out of its block if the connection breaks just then.
                self.counts["connection lost"] += 1
                if connection:
                    connection.close()
                connection = None
                self.stop.wait(0.1)
            self.stop.wait(self.rng.uniform(0, 0.03))
        self._commit_late_ones(float("inf"))
        if connection:
            connection.close()

    def _plain(self, connection: psycopg.Connection) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            for _ in range(self.rng.randint(1, 20)):
                self.write(cursor)

    def _late_commit(self, _: psycopg.Connection) -> None:
        """Stamped now, committed when the watermark has long passed."""
        other = connect(self.url)
        self._late.append((time.monotonic() + self.rng.uniform(0.05, LONGEST_LATE_S), other))
        for _message in range(3):
            self.write(other.cursor())

    def _commit_late_ones(self, until: float) -> None:
        due = [item for item in self._late if item[0] <= until]
        self._late = [item for item in self._late if item[0] > until]
        for _, other in due:
            try:
                other.commit()
            except psycopg.Error:
                self.counts["late commit lost"] += 1
            other.close()

    def _savepoint(self, connection: psycopg.Connection) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            for _ in range(6):
                with connection.transaction() as savepoint:
                    self.write(cursor)
                    if self.rng.random() < 0.5:
                        raise psycopg.Rollback(savepoint)

    def _rollback(self, connection: psycopg.Connection) -> None:
        with connection.transaction() as transaction, connection.cursor() as cursor:
            for _ in range(5):
                self.write(cursor)
            raise psycopg.Rollback(transaction)

    def _tie(self, connection: psycopg.Connection) -> None:
        [[moment]] = connection.execute("SELECT clock_timestamp()").fetchall()
        for _ in range(8):
            self.write(connection.cursor(), f"'{moment.isoformat()}'::timestamptz")

    def _odd_time(self, connection: psycopg.Connection) -> None:
        """By hand into the past or the future, or a time that no driver reads."""
        odd = self.rng.choice([*ODD_TIMES, None, None])
        created_at = "now() - interval '1 hour'" if odd is None else f"'{odd}'::timestamptz"
        self.write(connection.cursor(), created_at)


class Witness(Producer):
    """Writes the messages of the chaos source, each with an id of `ids`."""

    def __init__(self, url: str, ids: MessageIds, seed: int) -> None:
        super().__init__(url, seed)
        self.ids = ids

    def write(self, cursor: psycopg.Cursor, created_at: str = "now()") -> None:
        [message_id] = self.ids.take()
        _insert(cursor, message_id, _payload(self.rng), self.rng.randrange(CASES), created_at)

    def bring_everything(self, url: str) -> None:
        """Whatever anyone may still wait for; and with each thing one more who waits for it, at the same moment.

        Their ids are shuffled, so two workers have them in hand: one looks, the other brings, the first begins to wait.
        By the address of the server itself: a pooler refuses until it has seen that the server has connections again.
        """
        with connect(url) as connection, connection.cursor() as cursor:
            for case in range(CASES):
                for kind in ("waits", "brings"):
                    [message_id] = self.ids.take()
                    _insert(cursor, message_id, json.dumps({"kind": kind}), case)


def _payload(rng: random.Random) -> str:
    kind = rng.choices(["good", "waits", "brings", "flaky", "bad"], [12, 3, 2, 1, 1])[0]
    return rng.choice(BAD_PAYLOADS) if kind == "bad" else json.dumps({"kind": kind})


def _insert(cursor, message_id: int, payload: str, case: int, created_at: str = "now()") -> None:
    cursor.execute(
        "INSERT INTO chaos_message (message_id, decision_tracking_id, payload, created_at, is_beyond_lookback)"
        " SELECT %s, %s, %s, moment, moment < now() - interval '15 seconds'"
        f"  FROM (SELECT {created_at} AS moment) AS given",
        [message_id, UUID(int=case), payload],
    )
