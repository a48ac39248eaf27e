"""Moves packets, all locked by the caller or here: one by hand, one by a decision, or many by messages."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from inbox.db.storable import storable
from inbox.fields import now
from packets.codes import DetailedStatus, ValidationStatus
from packets.models import Packet, PacketEvent
from packets.moves import STAFF_STEPS


class MoveRefused(Exception):
    """The packet may not move so; the text says why, for a person."""


class PacketMove(NamedTuple):
    """A packet as it was, and the statuses that it should have."""

    packet: Packet
    to: DetailedStatus
    validation: ValidationStatus


def move_packet(
    packet_id: int, *, to: DetailedStatus, seen: str, by: str, reason: str, correlation_id: UUID | None = None
) -> Packet:
    """Set detailed_status to `to`. `seen` is the status that the person saw; `correlation_id` names the request.

    Locks the packet in the caller's transaction. Raises MoveRefused, and Packet.DoesNotExist.
    """
    if not by.strip() or not reason.strip() or storable(reason) != reason:
        raise MoveRefused("a move needs to say by whom and why, in a text that can be stored")
    packet = Packet.objects.select_for_update(no_key=True).get(pk=packet_id)
    if packet.detailed_status != seen:
        raise MoveRefused(f"it has become {packet.detailed_status} meanwhile; you saw {seen}")
    if (DetailedStatus(seen), to) not in STAFF_STEPS:
        raise MoveRefused(f"no step leads by hand from {seen} to {to}")
    record_move(packet, to, what=PacketEvent.What.MOVED, by=by, reason=reason, correlation_id=correlation_id)
    return packet


def record_move(packet: Packet, to: DetailedStatus, **event: Any) -> None:
    """Write the new status of a locked packet, and its line in the history with these fields of PacketEvent."""
    from_status, packet.detailed_status = packet.detailed_status, to
    Packet.objects.filter(pk=packet.pk).update(detailed_status=to, updated_at=now())
    PacketEvent.objects.create(packet=packet, from_status=from_status, to_status=to, **event)


def move_packets(moves: Iterable[PacketMove]) -> None:
    """Write the statuses of locked packets that change, a statement per pair of statuses; no history."""
    groups: dict[tuple[DetailedStatus, ValidationStatus], list[int]] = {}
    for packet, to, validation in moves:
        if (packet.detailed_status, packet.validation_status) != (to, validation):
            groups.setdefault((to, validation), []).append(packet.pk)
    for (to, validation), packet_ids in groups.items():
        Packet.objects.filter(packet_id__any_of=packet_ids).update(
            detailed_status=to, validation_status=validation, updated_at=now()
        )
