"""Protections of decisions: the lock of the packet, the order of lock and read, and the index behind both."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from decisions.case import Case
from packets.models import Packet
from verification.patches import patched
from verification.protections.schema import without_index
from verification.row import Protection

LEAVE_ONE_ACTIVE = """
UPDATE packet_decision SET is_active = false
 WHERE is_active AND packet_decision_id NOT IN (SELECT max(packet_decision_id) FROM packet_decision GROUP BY packet_id)
"""

Lock = Callable[[QuerySet[Packet]], list[Case]]


class Unlocked(QuerySet[Packet]):
    """Packets that nobody locks."""

    def select_for_update(self, *args: Any, **options: Any) -> Any:
        return self


def _unlocked(packets: QuerySet[Packet]) -> Unlocked:
    return Unlocked(packets.model, query=packets.query.chain())


def _without_lock(lock: Lock) -> Lock:
    return lambda packets: lock(_unlocked(packets))


def _version_first(lock: Lock) -> Lock:
    def read_and_lock(packets: QuerySet[Packet]) -> list[Case]:
        seen = {case.packet.pk: case.active for case in lock(_unlocked(packets))}
        return [Case(case.packet, seen.get(case.packet.pk)) for case in lock(packets)]

    return read_and_lock


def leave_one_active() -> None:
    """Make all but the newest version of each packet inactive."""
    with connection.cursor() as cursor:
        cursor.execute(LEAVE_ONE_ACTIVE)


LOCKS_THE_PACKET = Protection(
    "locks-the-packet",
    "who decides locks the packet first",
    lambda: patched("decisions.case:_lock", _without_lock),
)
READS_AFTER_THE_LOCK = Protection(
    "reads-after-the-lock",
    "the active version is read after the packet is locked",
    lambda: patched("decisions.case:_lock", _version_first),
)
ONE_ACTIVE_VERSION = Protection(
    "one-active-version",
    "a partial unique index allows one active version per packet",
    lambda: without_index("decision_one_active_per_packet", leave_one_active),
)


@contextmanager
def _without_both() -> Iterator[None]:
    with LOCKS_THE_PACKET.without(), ONE_ACTIVE_VERSION.without():
        yield


LOCK_AND_INDEX = Protection(
    "locks-the-packet-and-one-active-version",
    "the lock of the packet, and the index behind it",
    _without_both,
)
