"""Reads the rows that ClinicalOps and the JSON Generator write, as of the revision that a job was made for."""

from collections.abc import Sequence
from datetime import datetime

from decisions.messages.handler import DecisionHandler, Parsed
from decisions.models import DecisionMessage
from inbox.api import LockedJob
from inbox.fields import READABLE_FROM, READABLE_UNTIL
from packets.messages import REPLACED, Message, NoMessage, read_rows

SELECT_ROWS = f"""
SELECT message_id, is_deleted, {{content}}::text, {{prefix}}_revision AS revision, json_sent_to_integration,
       decision_tracking_id,
       CASE WHEN written.at BETWEEN '{READABLE_FROM}+00' AND '{READABLE_UNTIL}+00' THEN written.at END AS written_at,
       -- Both contents of a row have the same time, whichever of them got its job first.
       (SELECT min(job.created_at) FROM integration_inbox AS job
         WHERE job.source IN ('clinical_decision', 'generated_payload') AND job.message_id = row.message_id
           AND job.source_created_at = row.created_at) AS taken_in_at
  FROM service_ops_send_serviceops AS row
       -- Null in rows that are older than that column.
 CROSS JOIN LATERAL (SELECT coalesce({{prefix}}_written_at, row.created_at) AS at) AS written
 WHERE message_id = ANY(%s)
"""


class ClinicalOpsHandler(DecisionHandler):
    """Handles one of the two contents of a row: column `content`; `prefix` is that of its revision and its time."""

    content: str
    prefix: str

    def read(self, jobs: Sequence[LockedJob]) -> Parsed:
        return read_rows(jobs, SELECT_ROWS.format(content=self.content, prefix=self.prefix), self.to_message)

    def to_message(self, row: Message) -> DecisionMessage:
        """As in the base. Raises NoMessage for another revision: the correction of a row has a job of its own.

        A row that has come again with a number of before begins with revision 1, until ingest gives it the next.
        """
        if row.columns["revision"] != row.job.revision:
            raise NoMessage("the row has been corrected since")
        if row.is_of_another_case:
            raise NoMessage(REPLACED)
        return super().to_message(row)

    def said_at(self, row: Message) -> datetime | None:
        return row.columns["written_at"]

    def taken_in_at(self, row: Message) -> datetime | None:
        return row.columns["taken_in_at"]
