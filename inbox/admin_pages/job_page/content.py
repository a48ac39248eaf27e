"""Content: the message of a job as JSON text, as received and as corrected."""

from dataclasses import dataclass

from django.db import connection

from inbox import registry
from inbox.engine.corrections import corrected_texts
from inbox.models import InboxJob
from inbox.registry import ByFlag

SELECT_CONTENT = "SELECT {content}::text, {revision}, is_deleted FROM {table} WHERE message_id = %s"


@dataclass(frozen=True, slots=True)
class Content:
    """`original` is None if the source row is gone; `is_newer` says that the row has changed since the job was made."""

    original: str | None
    corrected: str | None
    is_newer: bool
    is_deleted: bool

    @property
    def handled(self) -> str | None:
        """The text that a handler reads."""
        return self.corrected if self.corrected is not None else self.original

    @property
    def why_ignored(self) -> str | None:
        """Why a handler would ignore the message, even a corrected one; None if it would not."""
        if self.is_newer:
            return "the source row has changed since, and a newer job covers it"
        if self.is_deleted:
            return "the source row was deleted"
        return "the source row is gone or holds no message" if self.original is None else None


def content_of(job: InboxJob) -> Content | None:
    """The message of a job; None if its source holds none."""
    source = registry.find(job.source)
    if source is None or source.reads is None:
        return None
    reads = source.reads
    quote = connection.ops.quote_name
    revision = quote(reads.revision) if isinstance(reads, ByFlag) else "1"
    sql = SELECT_CONTENT.format(content=quote(reads.content), revision=revision, table=quote(reads.table))
    with connection.cursor() as cursor:
        cursor.execute(sql, [job.message_id])
        text, revision_now, is_deleted = cursor.fetchone() or (None, job.revision, False)
    corrected = corrected_texts([job.pk]).get(job.pk) if job.is_corrected else None
    return Content(text, corrected, revision_now != job.revision, is_deleted)
