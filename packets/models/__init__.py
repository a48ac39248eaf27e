from packets.models.document import PacketDocument
from packets.models.event import PacketEvent
from packets.models.message import IntegrationMessage
from packets.models.packet import Packet

__all__ = ["IntegrationMessage", "Packet", "PacketDocument", "PacketEvent"]
