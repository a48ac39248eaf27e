"""A document of a packet: where it is stored, not its content."""

from django.db import models

from inbox.models.private import Private
from packets.models.packet import SEE_PEOPLE, Packet


class PacketDocument(models.Model):
    packet = models.ForeignKey(Packet, on_delete=models.PROTECT, related_name="documents", db_index=False)
    document_unique_identifier = models.TextField()
    file_name = models.TextField()
    mime_type = models.TextField()
    file_size = models.BigIntegerField(null=True, help_text="Bytes; null if unknown.")
    blob_path = models.TextField(null=True)

    private = Private(SEE_PEOPLE, frozenset(["document_unique_identifier", "file_name", "mime_type", "blob_path"]))

    class Meta:
        db_table = "packet_document"
        verbose_name = "document"
        constraints = [
            # Also serves as the index of packet_id.
            models.UniqueConstraint(fields=["packet", "document_unique_identifier"], name="packet_document_once"),
            models.CheckConstraint(
                condition=models.Q(file_size__isnull=True) | models.Q(file_size__gte=0), name="packet_document_size"
            ),
        ]

    def __str__(self) -> str:
        return f"document {self.pk}"
