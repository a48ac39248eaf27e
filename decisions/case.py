"""A case that this transaction may decide: its locked packet, and its active decision version, read after the lock.

Locking the active version instead is not enough. Without a decision there is nothing to lock; with one, a waiter finds
that row inactive when it gets the lock, sees no active version, and inserts a second one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import models

from decisions.codes import OperationalDecision
from decisions.errors import NoSuchPacket
from decisions.models import PacketDecision
from decisions.rules.current_state import is_answered
from packets.models import Packet


@dataclass(slots=True)
class Case:
    """A locked packet and its active decision version, if it has one."""

    packet: Packet
    active: PacketDecision | None

    @property
    def is_closed(self) -> bool:
        """True if its packet or its decision is closed, so that no message may change it."""
        return self.packet.is_closed or (
            self.active is not None and self.active.operational_decision != OperationalDecision.PENDING
        )

    @property
    def is_answered(self) -> bool:
        """True if it has a clinical answer."""
        return self.active is not None and is_answered(self.active.clinical_decision)


def lock_cases(tracking_ids: Iterable[UUID | None]) -> dict[UUID | None, Case]:
    """Lock the packets of these cases, in key order, in the caller's transaction; returns the cases that have one."""
    packets = Packet.objects.filter(decision_tracking_id__any_of=[id for id in tracking_ids if id])
    return {case.packet.decision_tracking_id: case for case in _lock(packets)}


def lock_case(packet_id: int) -> Case:
    """Lock one packet in the caller's transaction. Raises NoSuchPacket."""
    for case in _lock(Packet.objects.filter(pk=packet_id)):
        return case
    raise NoSuchPacket(f"there is no packet {packet_id}")


def _lock(packets: models.QuerySet[Packet]) -> list[Case]:
    # FOR NO KEY UPDATE: others may still insert rows that refer to the packet.
    locked = list(packets.order_by("packet_id").select_for_update(no_key=True))
    # In its own statement: one that waited for a lock has a snapshot from before the holder's COMMIT.
    versions = PacketDecision.objects.filter(packet__packet_id__any_of=[packet.pk for packet in locked], is_active=True)
    active = {version.packet_id: version for version in versions}
    return [Case(packet, active.get(packet.pk)) for packet in locked]
