"""Reads the rows that ClinicalOps and the JSON Generator write, as of the revision that a job was made for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from inbox.fields import READABLE_FROM, READABLE_UNTIL
from inbox.outcomes import Outcome
from inbox.registry import LockedJob
from packets.messages import Message, NoMessage, read_rows

T = TypeVar("T")

READ = """
SELECT message_id, is_deleted, {content}::text, {revision}, json_sent_to_integration,
       CASE WHEN written.at BETWEEN '{readable_from}+00' AND '{readable_until}+00' THEN written.at END
  FROM service_ops_send_serviceops
       -- Null in rows from before that column.
 CROSS JOIN LATERAL (SELECT coalesce({written_at}, created_at) AS at) AS written
 WHERE message_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Row(Message):
    """`written_at` is None if it can't be read."""

    revision: int
    is_sent: bool | None
    written_at: datetime | None


def read(
    jobs: Sequence[LockedJob], *, content: str, prefix: str, parse: Callable[[Row], T]
) -> tuple[dict[int, T], dict[int, Outcome]]:
    """Parse column `content` of each job's row; `prefix` is that of its revision and its time.

    A row that was corrected since is ignored: its correction has a job of its own.
    """

    def parse_this_revision(row: Row) -> T:
        if row.revision != row.job.revision:
            raise NoMessage("the row has been corrected since")
        return parse(row)

    sql = READ.format(
        content=content,
        revision=f"{prefix}_revision",
        written_at=f"{prefix}_written_at",
        readable_from=READABLE_FROM,
        readable_until=READABLE_UNTIL,
    )
    return read_rows(jobs, sql, Row, parse_this_revision)
