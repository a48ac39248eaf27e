"""Compares what the rules say of all that was said of each case with what became of it.

    python -m tests.chaos.domain.account     prints what differs as JSON, for the database at DATABASE_URL

The record of those who wrote is the truth, in any order; the project's own tables only tell which of it could not
count, and that needs an excuse: see `_excuse`.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.audited import ask_module

CASES_AT_ONCE = 1000
SHOWN = 5
KINDS = ("clinical", "payload", "utn")
# Another one of several equal messages may have been applied.
NAMES_A_MESSAGE = frozenset(["clinical_created_at", "clinical_message_id", "utn_created_at", "utn_message_id"])
CLOSING = ("dismiss", "update_operational_decision")
STATUS_OF_UTN = {"SUCCESS": "UTN Received", "FAILED": "Validation"}
CLOSED = ("Decision Complete", "Dismissal", "Dismissal Complete")


def accounted(url: str) -> dict[str, list[tuple]]:
    """The differences, by what they are, each with a few cases that show it; in a process that knows the rules."""
    found = ask_module("tests.chaos.domain.account", url)
    return {f"account: {name}": [tuple(row) for row in rows] for name, rows in found.items()}


@dataclass(slots=True)
class Case:
    """One case: what was said, oldest first, what was kept of it, its jobs, and what people did."""

    said: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[tuple, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    clicks: list[dict[str, Any]] = field(default_factory=list)
    packet: dict[str, Any] | None = None
    version: Any = None

    def differences(self) -> Iterator[tuple[str, Any]]:
        """Says what is wrong with it."""
        counting = yield from self._messages()
        yield from self._clicks()
        yield from self._decision(counting)
        yield from self._packet()

    def _messages(self):
        """Each good content counts, or has an excuse; nothing else is kept. Returns the rules' messages."""
        last = {(one["source"], one["message_id"]): one for one in self.said}
        # A transaction that writes two contents shows only the last.
        contents = {(one["source"], one["message_id"], one["said_at"]): one for one in self.said}
        kept: dict[tuple, dict[str, Any]] = {}
        for one in self.kept:
            key = (one["source"], one["message_id"], one["said_at"])
            if key in kept and key[0] != "staff":
                yield "a message counts twice", one
            kept[key] = one
        counting = [self._message(one) for one in self.kept if one["source"] == "staff"]
        for key, one in contents.items():
            is_kept = key in kept
            is_last = last[one["source"], one["message_id"]] is one
            if one["content"] is None:
                if is_kept:
                    yield "garbage counts", one
            elif one["kind"] in KINDS:
                if is_kept and not self._is_same(one, kept[key]):
                    yield "a message is kept with another content than was sent", one
                # An earlier content that is not kept was corrected before anybody read it.
                if is_kept or (is_last and self._is_refused(one)):
                    counting.append(self._message(one, kept.get(key)))
                elif is_last and not self._excuse(one):
                    yield "a message does not count", [one, self._job(one), self.clicks]
            yield from self._verdict(one, is_last=is_last)
        for key in kept.keys() - contents.keys():
            if key[0] != "staff":
                yield "a message is kept that nobody sent", kept[key]
        return counting

    def _verdict(self, one, *, is_last: bool):
        """How the job of the content that was written last has ended."""
        job = self._job(one)
        if not is_last or one["is_deleted"] or job is None:
            return
        if one["content"] is None and job["status"] != "DEAD":
            yield "garbage is not DEAD", one
        if one["content"] is not None and job["status"] != "DONE" and not self._is_refused(one):
            yield "a good message is not DONE", one

    def _job(self, one) -> dict[str, Any] | None:
        """The job of the newest revision of its row."""
        jobs = self.jobs.get((one["source"], one["message_id"]), [])
        return max(jobs, key=lambda job: job["revision"], default=None)

    def _is_refused(self, one) -> bool:
        """True if its job is DEAD because it can't count: a person has to look at it.

        So ends a payload for another answer than the one that counts, and a payload or UTN that nobody can date.
        """
        job = self._job(one)
        if job is None or job["status"] != "DEAD" or one["kind"] not in ("payload", "utn"):
            return False
        if job["error_kind"] == "BadMessage":
            return None in (one["created_at"], one["said_at"])
        answer = one["content"].get("answer")
        return (
            job["error_kind"] == "Contradiction"
            and answer is not None
            and (self.version is None or answer != self.version.clinical_decision)
        )

    def _excuse(self, one) -> bool:
        """True if the message can't have counted: its row was deleted, or a person had closed the case."""
        job = self._job(one)
        is_closed = job is not None and (job["note"] or "").startswith("the case is closed")
        return one["is_deleted"] or (is_closed and any(click["verb"] in CLOSING for click in self.clicks))

    def _clicks(self):
        """Each request of a person for an answer has given it; a second click of it changes nothing."""
        asked = Counter(click["answer"] for click in self.clicks if click["answer"])
        requests = Counter(
            answer for _, answer in {(c["correlation_id"], c["answer"]) for c in self.clicks if c["answer"]}
        )
        given = Counter(one["content"]["answer"] for one in self.kept if one["source"] == "staff")
        if any(not requests[answer] <= given[answer] <= asked[answer] for answer in asked | given):
            yield "answers of people are missing, or there are too many", [dict(asked), dict(requests), dict(given)]

    def _decision(self, counting):
        from decisions.rules.current_state import current_state

        state = current_state(counting)
        clinical = self.version.clinical_decision if self.version else "PENDING"
        if state is None:
            if clinical != "PENDING":
                yield "there is an answer that nobody gave", clinical
            return
        if self.version is None:
            yield "there is no decision", None
            return
        wrong = {
            name: (value, getattr(self.version, name))
            for name, value in state.items()
            if name not in NAMES_A_MESSAGE and getattr(self.version, name) != value
        }
        if wrong:
            yield "the decision is not what the messages say", wrong

    def _packet(self):
        if self.packet is None:
            if any(self._counts_as_intake(one) for one in self.said):
                yield "there is no packet", None
            return
        intakes = [one for one in self.said if self._counts_as_intake(one)]
        newest = max(intakes, key=lambda one: (one["at"], one["message_id"]), default=None)
        shown = (self.packet["intake_message_id"], self.packet["documents"])
        expected = newest and (newest["message_id"], [newest["content"]["document"]])
        if expected != shown and not any(one["kind"] == "intake" and one["is_deleted"] for one in self.said):
            yield "the packet does not follow its newest intake", [expected, shown]
        status = self.packet["detailed_status"]
        if self.version is None or self.version.clinical_decision == "PENDING" or status in CLOSED:
            return
        is_sent = self.version.esmd_request_status in ("SENT", "ACKED")
        said = STATUS_OF_UTN.get(self.version.utn_status, "Pending - UTN" if is_sent else "Clinical Decision Received")
        if status != said:
            yield "the packet is not where its decision is", [said, status]

    def _counts_as_intake(self, one) -> bool:
        return one["kind"] == "intake" and one["content"] is not None and not self._excuse(one)

    @staticmethod
    def _is_same(one, kept) -> bool:
        """A payload is kept beside the content, which has its digest."""
        content = {name: value for name, value in one["content"].items() if name != "payload"}
        kept_content = {name: value for name, value in kept["content"].items() if name != "payload_digest"}
        payload = one["content"].get("payload")
        return (content, payload, one["created_at"]) == (kept_content, kept["payload"], kept["created_at"])

    @staticmethod
    def _message(one, kept=None):
        from decisions.models import DecisionMessage
        from decisions.models.message import payload_digest

        content = one["content"]
        if kept and kept["payload"] is not None:
            content = content | {"payload_digest": payload_digest(kept["payload"])}
        return DecisionMessage(
            kind=one["kind"],
            source=one["source"],
            message_id=one["message_id"],
            # The later one of two contents of a row counts.
            revision=kept["revision"] if kept else one.get("revision", 1),
            created_at=one["created_at"],
            said_at=one["said_at"],
            content={name: value for name, value in content.items() if name != "payload"},
        )


def differences() -> dict[str, list[tuple]]:
    """The differences in the database of this process."""
    from tests.chaos.domain.cases import read_cases

    found: dict[str, list[tuple]] = defaultdict(list)
    for tracking_id, case in read_cases(CASES_AT_ONCE):
        for name, shown in case.differences():
            if len(found[name]) < SHOWN:
                found[name].append((str(tracking_id), shown))
    return found


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(differences(), default=str))
