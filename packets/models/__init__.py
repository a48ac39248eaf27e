from packets.models.document import PacketDocument
from packets.models.event import PacketEvent
from packets.models.message import IntegrationMessage
from packets.models.packet import SEE_PEOPLE, Packet, one_of

__all__ = ["SEE_PEOPLE", "IntegrationMessage", "Packet", "PacketDocument", "PacketEvent", "one_of"]
