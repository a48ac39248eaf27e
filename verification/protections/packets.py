"""Protections of packet creation: the unique key of the case, the clause that meets it, and the order of inserts."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import Any

from django.db import connection

from verification.patches import patched, without_text
from verification.protections.decisions import Unlocked
from verification.protections.schema import without_constraint
from verification.row import Protection

STATEMENT = "packets.intake.apply:CREATE_PACKETS"
ON_CONFLICT = "ON CONFLICT (decision_tracking_id) DO NOTHING"
LEAVE_ONE_PACKET = """
UPDATE packet SET decision_tracking_id = gen_random_uuid()
 WHERE packet_id NOT IN (SELECT min(packet_id) FROM packet GROUP BY decision_tracking_id)
"""


def leave_one_packet() -> None:
    """Give all but the first packet of each case a case of its own."""
    with connection.cursor() as cursor:
        cursor.execute(LEAVE_ONE_PACKET)


@contextmanager
def _without_key() -> Iterator[None]:
    # Without the key, PostgreSQL refuses a statement that names it.
    with _without_clause(), without_constraint("packet", "packet_decision_tracking_id_key", leave_one_packet):
        yield


def _without_clause() -> AbstractContextManager[Any]:
    return without_text(STATEMENT, ON_CONFLICT)


ONE_PACKET_PER_CASE = Protection("one-packet-per-case", "the tracking id of a packet is unique", _without_key)
MEETS_THE_OTHER = Protection(
    "meets-the-other-packet",
    "an intake that finds the packet being created waits, and then updates it",
    _without_clause,
)
INSERTS_IN_ORDER = Protection(
    "inserts-in-order",
    "new packets are inserted in the order of their tracking ids",
    lambda: without_text(STATEMENT, "ORDER BY decision_tracking_id"),
)
LOCKS_WHAT_IT_COMPARES = Protection(
    "locks-what-it-compares",
    "an intake locks the packet before it looks which of both is newer",
    lambda: patched("packets.intake.apply:Packet", lambda plain: SimpleNamespace(objects=Unlocked(plain))),
)
