"""Content: the message of a job as text, as it came and as it was corrected."""

from dataclasses import dataclass

from django.db import connection

from inbox import registry
from inbox.engine.corrections import corrected_texts
from inbox.models import InboxJob
from inbox.registry import ByFlag, ByWatermark

READ = "SELECT {content}::text, {revision}, is_deleted FROM {table} WHERE message_id = %s"


@dataclass(frozen=True, slots=True)
class Content:
    """JSON texts: `original` None if the source has no row any more. `is_newer`: the row has been changed since."""

    original: str | None
    corrected: str | None
    is_newer: bool
    is_deleted: bool

    @property
    def handled(self) -> str | None:
        """What a handler reads."""
        return self.corrected if self.corrected is not None else self.original

    @property
    def why_ignored(self) -> str | None:
        """Why a handler would ignore it, whatever it says or is corrected to; None if it would not."""
        if self.is_newer:
            return "the source row has been changed since, and has another job for that"
        if self.is_deleted:
            return "the source row was deleted"
        return "the source row is gone, or holds no message" if self.original is None else None


def has_content(job: InboxJob) -> bool:
    """True if the job's source is a table whose rows hold messages."""
    return _reads(job) is not None


def content_of(job: InboxJob) -> Content | None:
    """The message of a job; None if its source holds none."""
    reads = _reads(job)
    if reads is None:
        return None
    quote = connection.ops.quote_name
    revision = quote(reads.revision) if isinstance(reads, ByFlag) else "1"
    sql = READ.format(content=quote(reads.content), revision=revision, table=quote(reads.table))
    with connection.cursor() as cursor:
        cursor.execute(sql, [job.message_id])
        text, revision_now, is_deleted = cursor.fetchone() or (None, job.revision, False)
    corrected = corrected_texts([job.pk]).get(job.pk) if job.is_corrected else None
    return Content(text, corrected, revision_now != job.revision, is_deleted)


def _reads(job: InboxJob) -> ByWatermark | ByFlag | None:
    source = registry.find(job.source)
    return source.reads if source else None
