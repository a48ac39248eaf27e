"""Protections of ClinicalOps' rows: locks while they are ingested and handled, revisions, and the trigger of both."""

from typing import Any

from decisions.messages.handler import DecisionHandler
from verification.patches import patched, without_text
from verification.protections.schema import without_trigger
from verification.row import Protection

INGEST = "inbox.engine.ingest_by_flag:INSERT_JOBS_BY_FLAG"


def _any_revision(_: Any) -> Any:
    return DecisionHandler.to_message


SKIPS_LOCKED_ROWS = Protection(
    "skips-locked-rows",
    "an ingest skips rows that another poller has locked",
    lambda: without_text(INGEST, " SKIP LOCKED"),
)
LOCKS_ROWS_OF_FLAGS = Protection(
    "locks-rows-of-flags",
    "an ingest locks the row whose flag it raises, and reads it as it is then",
    lambda: without_text(INGEST, "FOR UPDATE SKIP LOCKED"),
)
KEEPS_REVISIONS = Protection(
    "keeps-revisions",
    "a trigger lowers the flag of a row whose content changes, and raises its revision",
    lambda: without_trigger("service_ops_send_serviceops", "clinical_ops_revisions"),
)
LOCKS_ROWS_OF_ANSWERS = Protection(
    "locks-rows-of-answers",
    "who handles an answer locks its row, or comes back later if its writer has it",
    lambda: without_text("decisions.messages.clinical_answer:LOCK_ROWS", "FOR NO KEY UPDATE SKIP LOCKED"),
)
HANDLES_ITS_REVISION = Protection(
    "handles-its-revision",
    "a job handles the revision that it was made for, and no other",
    lambda: patched("decisions.messages.clinical_ops:ClinicalOpsHandler.to_message", _any_revision),
)
