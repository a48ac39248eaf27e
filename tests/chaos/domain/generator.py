"""The JSON Generator of the chaos test: takes each key once, also when it was killed meanwhile, and misbehaves."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from decisions.pretend.behaviour import Behaviour
from decisions.pretend.generator import Generator
from tests.chaos.domain import contents
from tests.chaos.domain.record import insert, rewrite
from tests.chaos.producers import connect

BEHAVIOURS = {
    Behaviour.ACCEPT: 80, Behaviour.LATE: 4, Behaviour.TWICE: 3, Behaviour.DROP: 3, Behaviour.SILENT_DROP: 2,
    Behaviour.FAIL: 4, Behaviour.REJECT: 1, Behaviour.HANG: 1, Behaviour.DRIP: 1, Behaviour.DRIP_HEAD: 1,
}  # fmt: skip
INSERT_REQUEST = "INSERT INTO chaos_request (key, tracking_id, behaviour) VALUES (%s, %s, %s)"
TAKE_KEY = "INSERT INTO chaos_key VALUES (%s) ON CONFLICT DO NOTHING"
SELECT_ANSWER = """
SELECT clinical_decision FROM packet_decision AS version JOIN packet USING (packet_id)
 WHERE decision_tracking_id = %s AND version.is_active
"""
SELECT_ROW = """
SELECT max(message_id) FROM service_ops_send_serviceops
 WHERE decision_tracking_id = %s AND clinical_ops_decision_json IS NOT NULL AND json_sent_to_integration IS NULL
   AND NOT is_deleted
"""


class ChaosGenerator(Generator):
    """Writes by plain SQL at `url`, with the record of what it received and said."""

    def __init__(self, url: str, port: int, seed: int) -> None:
        self.rng = random.Random(seed)
        super().__init__(port=port, otherwise=self._choose, late_s=0.5, drip_every_s=0.2, rows=lambda: Session(url))
        self._one_at_a_time = threading.Lock()

    def _choose(self) -> Behaviour:
        return self.rng.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]

    @contextmanager
    def handling(self, key: str, body: Any) -> Iterator[Behaviour | int]:
        with super().handling(key, body) as behaviour:
            with self._one_at_a_time, self._rows.transaction() as cursor:
                cursor.execute(INSERT_REQUEST, [key, body["decision_tracking_id"], str(behaviour)])
            yield behaviour

    def accept(self, key: str, tracking_id: str, rows: int = 1) -> None:
        case = int(tracking_id[-12:], 16)
        with self._one_at_a_time, self._rows.transaction() as cursor:
            if not cursor.execute(TAKE_KEY, [key]).rowcount:
                return
            [answer] = cursor.execute(SELECT_ANSWER, [tracking_id]).fetchone() or ["AFFIRM"]
            for _ in range(rows):
                said = contents.generated(self.rng, case, "N" if answer == "NON_AFFIRM" else "A")
                [message_id] = cursor.execute(SELECT_ROW, [tracking_id]).fetchone()
                if message_id is None or not rewrite(cursor, message_id, said):
                    insert(cursor, UUID(tracking_id), [said])


class Session:
    """A session that is opened again once it has broken."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: psycopg.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Cursor]:
        """Raises psycopg.Error, and then the next one has a new connection."""
        try:
            self._connection = self._connection or connect(self.url, autocommit=True)
            with self._connection.transaction(), self._connection.cursor() as cursor:
                yield cursor
        except psycopg.Error:
            self.close()
            raise

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
