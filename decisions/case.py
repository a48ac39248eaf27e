"""A case that this transaction may decide: its packet, locked, and its active decision version, read after that.

Locking the active version instead is not enough: with no decision yet there is nothing to lock, and with one, who waits
for the lock finds that row inactive, so finds none, and inserts a second active one.
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
        """True if no message may change it any more, by its packet or by its decision."""
        return self.packet.is_closed or (
            self.active is not None and self.active.operational_decision != OperationalDecision.PENDING
        )

    @property
    def is_answered(self) -> bool:
        """True if a clinical answer counts for it."""
        return self.active is not None and is_answered(self.active.clinical_decision)


def lock_cases(tracking_ids: Iterable[UUID | None]) -> dict[UUID | None, Case]:
    """Lock the packets of these cases, in key order, until the end of the caller's transaction; those that exist."""
    packets = Packet.objects.filter(decision_tracking_id__any_of=[id for id in tracking_ids if id])
    return {case.packet.decision_tracking_id: case for case in _lock(packets)}


def lock_case(packet_id: int) -> Case:
    """Lock one packet. Raises NoSuchPacket."""
    for case in _lock(Packet.objects.filter(pk=packet_id)):
        return case
    raise NoSuchPacket(f"there is no packet {packet_id}")


def _lock(packets: models.QuerySet[Packet]) -> list[Case]:
    # FOR NO KEY UPDATE: rows that refer to the packet may be inserted meanwhile.
    locked = list(packets.order_by("packet_id").select_for_update(no_key=True))
    # A statement of its own: the snapshot of the one that waited is older than what the lock's holder has committed.
    versions = PacketDecision.objects.filter(packet__packet_id__any_of=[packet.pk for packet in locked], is_active=True)
    active = {version.packet_id: version for version in versions}
    return [Case(packet, active.get(packet.pk)) for packet in locked]
