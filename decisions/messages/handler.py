"""How every message about a decision is handled; each kind is a subclass, which decisions/apps.py registers.

A subclass says how its source rows are read, what a message says, what it waits for, and what follows once applied.
Failure modes: a bad message is dead with its reason; one whose packet or clinical answer is missing waits.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from decisions.case import Case, lock_cases
from decisions.messages.apply import apply_messages
from decisions.messages.case_update import NewMessage
from decisions.models import DecisionMessage
from inbox.api import LockedJob, Outcome, dead, done, ignored, not_ready
from packets.messages import Message

Parsed = tuple[dict[int, DecisionMessage], dict[int, Outcome]]


class DecisionHandler(ABC):
    """Handles one kind of message. `source` is the source of its jobs."""

    kind: DecisionMessage.Kind
    source: str

    def __call__(self, jobs: Sequence[LockedJob]) -> list[Outcome]:
        """Let the messages of these jobs take effect, in the transaction that finishes the jobs.

        1. Read and parse the source rows.
        2. Lock the packets of the cases, in key order.
        3. Hold back messages whose packet, or something else they need, is missing.
        4. Apply the others; one that does not count is ignored, or dead if its time can't be read, with the reason.
        """
        messages, outcomes = self.read(jobs)
        parsed = [job for job in jobs if job.inbox_id in messages]
        cases = lock_cases(job.decision_tracking_id for job in parsed)
        ready: list[NewMessage] = []
        for job in parsed:
            message, case = messages[job.inbox_id], cases.get(job.decision_tracking_id)
            if case is None:
                outcomes[job.inbox_id] = not_ready("the packet")
            elif outcome := self.hold_back(case, message):
                outcomes[job.inbox_id] = outcome
            else:
                message.packet = case.packet
                ready.append(NewMessage(case, message, job_id=job.inbox_id))
        apply_messages(ready)
        for item in ready:
            assert item.job_id is not None  # noqa: S101 for mypy: set just above
            outcomes[item.job_id] = _outcome(item)
        self.after(ready)
        return [outcomes[job.inbox_id] for job in jobs]

    @abstractmethod
    def read(self, jobs: Sequence[LockedJob]) -> Parsed:
        """Read the source rows with `to_message`; returns messages, and the outcomes of jobs without, by inbox_id."""

    def to_message(self, row: Message) -> DecisionMessage:
        """The message in a source row. Raises BadMessage.

        A correction dates a message whose own time can't be read. A row that was inserted with a time in the future was
        written before it was taken in: else its round would begin there, and no payload that is written now would do.
        """
        written_at = self.said_at(row)
        is_inserted = written_at == row.job.source_created_at
        if is_inserted and written_at and (taken_in_at := self.taken_in_at(row)):
            written_at = min(written_at, taken_in_at)
        message = DecisionMessage(
            kind=self.kind,
            source=self.source,
            message_id=row.job.message_id,
            revision=row.job.revision,
            created_at=row.job.source_created_at or row.corrected_at,
            said_at=written_at or row.corrected_at,
            content=self.parse(row),
        )
        message.is_inserted = is_inserted
        return message

    @abstractmethod
    def parse(self, row: Message) -> dict[str, Any]:
        """The content of the message, as decisions/rules/current_state.py reads it. Raises BadMessage."""

    def said_at(self, row: Message) -> datetime | None:
        """When the content of the row was written; None if that is unknown."""
        return row.job.source_created_at

    def taken_in_at(self, row: Message) -> datetime | None:
        """When the row was taken in, by the database's clock; None if that is unknown."""
        return row.job.taken_in_at

    def hold_back(self, case: Case, message: DecisionMessage) -> Outcome | None:
        """Why the message can't be applied to this locked case now; None if it can."""
        return None if case.is_answered or case.is_closed else not_ready("a clinical answer")

    def after(self, handled: Sequence[NewMessage]) -> None:  # noqa: B027 most kinds write nothing else
        """Write whatever else belongs to the same transaction; nothing by default."""


def _outcome(item: NewMessage) -> Outcome:
    if item.why_ignored is None:
        return done()
    return dead(item.why_ignored) if item.is_refused else ignored(item.why_ignored)
