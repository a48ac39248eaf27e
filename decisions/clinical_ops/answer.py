"""The handler of clinical decisions: each is an answer of its case, and the newest one counts."""

from collections.abc import Sequence

from django.db import connection

from decisions.case import lock_cases
from decisions.clinical_ops.rows import Row, read
from decisions.codes import ClinicalDecision
from decisions.hear import SAME, Said, hear
from decisions.models import DecisionMessage
from inbox.outcomes import Outcome, done, ignored, not_ready
from inbox.registry import LockedJob
from packets.messages import BadMessage

ANSWER_OF_INDICATOR = {"A": ClinicalDecision.AFFIRM, "N": ClinicalDecision.NON_AFFIRM}

# Only of the revision that was handled: what was written meanwhile has not been applied. In key order, so that two
# never deadlock; the trigger sees no content changed, so nothing is taken in anew.
MARK_APPLIED = """
UPDATE service_ops_send_serviceops AS row
   SET clinical_decision_applied_at = now()
  FROM (SELECT s.message_id
          FROM service_ops_send_serviceops AS s
          JOIN unnest(%s::bigint[], %s::int[]) AS applied(message_id, revision)
            ON s.message_id = applied.message_id AND s.decision_revision = applied.revision
         ORDER BY s.message_id
           FOR NO KEY UPDATE OF s) AS locked
 WHERE row.message_id = locked.message_id
"""


def handle_clinical_decision(jobs: Sequence[LockedJob]) -> list[Outcome]:
    """Let clinical answers take effect; those of cases whose packet has not come wait for it."""
    messages, outcomes = read(jobs, content="clinical_ops_decision_json", prefix="decision", parse=parse_answer)
    good = [job for job in jobs if job.inbox_id in messages]
    cases = lock_cases(job.decision_tracking_id for job in good)
    said: list[Said] = []
    by_key: dict[int, LockedJob] = {}
    for job in good:
        case = cases.get(job.decision_tracking_id) if job.decision_tracking_id else None
        if case is None:
            outcomes[job.inbox_id] = not_ready("the packet")
            continue
        message = messages[job.inbox_id]
        message.packet = case.packet
        by_key[job.inbox_id] = job
        said.append(Said(case, message, job_id=job.inbox_id))
    applied: list[LockedJob] = []
    for item, reason in zip(said, hear(said).reasons, strict=True):
        assert item.job_id is not None  # noqa: S101 for mypy: set just above
        outcomes[item.job_id] = ignored(reason) if reason else done()
        if reason in (None, SAME):
            applied.append(by_key[item.job_id])
    _mark_applied(applied)
    return [outcomes[job.inbox_id] for job in jobs]


def parse_answer(row: Row) -> DecisionMessage:
    """The answer in a clinical decision. Raises BadMessage."""
    indicator = row.object().get("decision_indicator")
    answer = ANSWER_OF_INDICATOR.get(indicator) if isinstance(indicator, str) else None
    if answer is None:
        raise BadMessage("decision_indicator is neither A nor N")
    return DecisionMessage(
        kind=DecisionMessage.Kind.CLINICAL,
        source="clinical_decision",
        message_id=row.job.message_id,
        revision=row.job.revision,
        created_at=row.job.source_created_at,
        said_at=row.written_at,
        content={"answer": answer.value},
    )


def _mark_applied(jobs: Sequence[LockedJob]) -> None:
    if jobs:
        with connection.cursor() as cursor:
            cursor.execute(MARK_APPLIED, [[job.message_id for job in jobs], [job.revision for job in jobs]])
