"""Integration and ClinicalOps: they write what they like about any case at any time, in any order, with garbage.

A case is spoken of for a while, then others are.
"""

import random
import threading
from collections import deque

import psycopg

from tests.chaos.domain import contents
from tests.chaos.domain.contents import tracking_id
from tests.chaos.domain.record import delete, insert, rewrite
from tests.chaos.producers import Producer, connect

# Cases that are spoken of at the same time, and how many messages each gets about.
OPEN_CASES = 300
MESSAGES_PER_CASE = 10
REMEMBERED = 200
# No case may still wait for these at the end: a packet, and an answer that nobody has corrected or deleted. One that
# came while the case was dismissed does not count when it is opened again.
CASES_WITHOUT = """
SELECT tracking_id FROM chaos_said AS said WHERE tracking_id IS NOT NULL
 GROUP BY tracking_id
HAVING count(*) FILTER (WHERE kind = %s AND content IS NOT NULL AND NOT is_deleted
                          AND NOT EXISTS (SELECT 1 FROM chaos_said AS later
                                           WHERE later.source = said.source AND later.message_id = said.message_id
                                             AND later.said_id > said.said_id)) = 0
    OR tracking_id IN (SELECT decision_tracking_id FROM packet JOIN chaos_click USING (packet_id)
                        WHERE verb = 'dismiss')
"""


class Cases:
    """The cases that are open; shared by all who write."""

    def __init__(self) -> None:
        self._newest = OPEN_CASES
        self._lock = threading.Lock()

    def pick(self, rng: random.Random) -> int:
        """The number of an open case, now and then of a new one, which closes the oldest."""
        with self._lock:
            self._newest += rng.random() < 1 / MESSAGES_PER_CASE
            return self._newest - rng.randrange(OPEN_CASES)


class Integration(Producer):
    """Sends intakes, UTNs and failures, some of them garbage; deletes a few rows again."""

    def __init__(self, url: str, seed: int, cases: Cases) -> None:
        super().__init__(url, seed)
        self.cases = cases
        self._sent: deque[int] = deque(maxlen=REMEMBERED)
        self._says = {
            contents.intake: 12, contents.utn: 6, contents.utn_fail: 4, contents.broken_intake: 1,
            contents.broken_utn: 1,
        }  # fmt: skip

    def write(self, cursor: psycopg.Cursor, created_at: str = "now()") -> None:
        if self._sent and self.rng.random() < 0.01:
            delete(cursor, self.rng.choice(self._sent), "integration")
            return
        case = self.cases.pick(self.rng)
        [say] = self.rng.choices(list(self._says), list(self._says.values()))
        said = say(self.rng, case)
        tracking = said.columns.pop("decision_tracking_id", tracking_id(case))
        self._sent.append(insert(cursor, tracking, [said], created_at))


class ClinicalOps(Producer):
    """Gives answers and payloads in rows of their own or in one, corrects and deletes them by UPDATE."""

    def __init__(self, url: str, seed: int, cases: Cases) -> None:
        super().__init__(url, seed)
        self.cases = cases
        self._written: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)

    def write(self, cursor: psycopg.Cursor, created_at: str = "now()") -> None:
        chance = self.rng.random()
        if self._written and chance < 0.25:
            message_id, case = self.rng.choice(self._written)
            if chance < 0.02:
                delete(cursor, message_id, "clinical_decision")
            else:
                rewrite(cursor, message_id, self._something(case))
            return
        case = self.cases.pick(self.rng)
        said = {one.kind: one for one in (self._something(case) for _ in range(1 + (self.rng.random() < 0.1)))}
        self._written.append((insert(cursor, tracking_id(case), said.values(), created_at), case))

    def _something(self, case: int) -> contents.Said:
        says = {
            contents.answer: 10, contents.generated: 5, contents.not_generated: 1, contents.broken_answer: 1,
            contents.broken_generated: 1,
        }  # fmt: skip
        [say] = self.rng.choices(list(says), list(says.values()))
        return say(self.rng, case)


def bring_everything(url: str, rng: random.Random) -> None:
    """Give each case the packet and the answer that its messages may still wait for."""
    with connect(url) as connection, connection.cursor() as cursor:
        for kind, say in (("intake", contents.intake), ("clinical", contents.answer)):
            for (tracking,) in cursor.execute(CASES_WITHOUT, [kind]).fetchall():
                insert(cursor, tracking, [say(rng, int(str(tracking)[-12:], 16))])
