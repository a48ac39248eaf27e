"""Opens a packet by hand, for a case whose intake is missing. A later intake fills it as it fills any packet.

A packet that exists already is returned unchanged. Two people, or a person and a worker, may open the same case at the
same time: the unique constraint lets one of them create it, and the other waits for the COMMIT and reads it.
"""

from uuid import UUID

from django.db import transaction

from inbox.api import wake
from packets.codes import Channel
from packets.models import Packet, PacketEvent


@transaction.atomic
def open_packet(decision_tracking_id: UUID, *, channel: Channel, by: str, reason: str) -> tuple[Packet, bool]:
    """The packet of the case, and whether it was created now. Raises ValueError if `by` or `reason` says nothing."""
    if not by.strip() or not reason.strip():
        raise ValueError("a packet that is opened by hand needs to say by whom and why")
    packet, is_created = Packet.objects.get_or_create(
        decision_tracking_id=decision_tracking_id, defaults={"channel_type_id": channel}
    )
    if is_created:
        PacketEvent.objects.create(
            packet=packet, what=PacketEvent.What.CREATED, by=by, to_status=packet.detailed_status, reason=reason.strip()
        )
        wake([decision_tracking_id], why="the packet was opened")
    return packet, is_created
