"""Moves many locked packets at once; their history is the caller's, who knows why."""

from collections.abc import Iterable
from typing import NamedTuple

from inbox.fields import now
from packets.codes import DetailedStatus, ValidationStatus
from packets.models import Packet


class Moved(NamedTuple):
    """A packet as it was, and the statuses that it shall have."""

    packet: Packet
    to: DetailedStatus
    validation: ValidationStatus


def move_packets(moved: Iterable[Moved]) -> None:
    """Write the statuses of those that change: a statement per pair of statuses, of which there are a few."""
    groups: dict[tuple[DetailedStatus, ValidationStatus], list[int]] = {}
    for packet, to, validation in moved:
        if (packet.detailed_status, packet.validation_status) != (to, validation):
            groups.setdefault((to, validation), []).append(packet.pk)
    for (to, validation), packet_ids in groups.items():
        Packet.objects.filter(packet_id__any_of=packet_ids).update(
            detailed_status=to, validation_status=validation, updated_at=now()
        )
