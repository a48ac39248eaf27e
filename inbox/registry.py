"""The registry of sources and their handlers. Other apps fill it in their AppConfig.ready().

The engine knows its callers only through this: it imports none of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from inbox.outcomes import Outcome


class LockedJob(NamedTuple):
    """A job whose lease is held and whose row is locked by the transaction in which the handler runs."""

    inbox_id: int
    message_id: int
    revision: int
    message_type: str
    decision_tracking_id: UUID | None
    channel_type_id: int | None
    source_created_at: datetime | None
    attempt_count: int
    waited_s: float
    """Seconds since it first had to wait, by the database's clock; 0 if it never had to."""
    is_corrected: bool = False
    """Its message was corrected by hand; engine/corrections.py gives the corrected text."""
    taken_in_at: datetime | None = None
    """When the job was made, by the database's clock."""


# Called inside the transaction that finishes the jobs; one outcome per job, in the same order.
Handler = Callable[[Sequence[LockedJob]], Sequence[Outcome]]


@dataclass(frozen=True, slots=True)
class Outbound:
    """Three functions for messages that need a call out of the database, such as HTTP.

    prepare gets jobs as a handler does, in a short transaction. For each job, in the same order, it returns an Outcome
            if the job ends here, or else anything that `call` needs to know
    call    gets that in a thread of its own, while no transaction is open, and returns its answer. It must not touch
            the database and must end by itself. It may run again for the same job, so the service has to recognise a
            request that it has taken before
    finish  gets jobs and their answers as a handler does, in the transaction that finishes them; one outcome per job
    """

    prepare: Callable[[Sequence[LockedJob]], Sequence[Any]]
    call: Callable[[Any], Any]
    finish: Callable[[Sequence[LockedJob], Sequence[Any]], Sequence[Outcome]]


@dataclass(frozen=True, slots=True)
class ByWatermark:
    """A table whose rows are inserted and never change; read from the pair (created_at, message_id) on.

    table            has message_id, decision_tracking_id, channel_type_id, created_at, is_deleted, and an index on
                     (created_at, message_id)
    message_type_sql an SQL expression on the row `s` that never raises and never gives null
    content          the column with the message
    """

    table: str
    message_type_sql: str
    content: str = "payload"


@dataclass(frozen=True, slots=True)
class ByFlag:
    """A table whose rows become eligible, or change, by UPDATE at any time; read by a flag that a trigger lowers.

    table        has message_id, decision_tracking_id, created_at, updated_at, is_deleted
    eligible_sql a condition on the row `s`, as in the partial index on message_id of the rows whose flag is down
    flag         a bool column: the present content has its job; a trigger lowers it when the content changes
    revision     an int column that the same trigger raises when a content that had its job changes
    message_type the type of all its jobs
    content      the column with the message
    """

    table: str
    eligible_sql: str
    flag: str
    revision: str
    message_type: str
    content: str = "payload"


@dataclass(frozen=True, slots=True)
class Source:
    """Where messages come from. Without `reads`, other code makes its jobs (engine/enqueue.py).

    name    as in integration_inbox.source
    command the manage.py command that serves it

    effects by message type, for audits: an SQL expression on a row `job` that counts how often its effect is there.
            That is 1 for a job that is DONE without a note, and 0 for all others

    A source has handlers or outbound calls, not both: outbound sources are claimed in small batches, and pause.
    """

    name: str
    command: str
    reads: ByWatermark | ByFlag | None = None
    handlers: dict[str, Handler] = field(default_factory=dict)
    outbound: dict[str, Outbound] = field(default_factory=dict)
    effects: dict[str, str] = field(default_factory=dict)

    @property
    def message_types(self) -> tuple[str, ...]:
        """The message types that this process has a handler or a call for, in order."""
        return tuple(sorted([*self.handlers, *self.outbound]))

    @property
    def is_outbound(self) -> bool:
        """True if its jobs need a call out of the database."""
        return bool(self.outbound)

    def handles(self, message_type: str) -> Callable[[Handler], Handler]:
        """Decorator: the function handles this source's messages of that type. Raises ValueError for a second one."""

        def register(handler: Handler) -> Handler:
            self._refuse(message_type, self.outbound)
            self.handlers[message_type] = handler
            return handler

        return register

    def calls(self, message_type: str, outbound: Outbound) -> Outbound:
        """Messages of that type need these calls. Raises ValueError for a second one, and beside handlers."""
        self._refuse(message_type, self.handlers)
        self.outbound[message_type] = outbound
        return outbound

    def _refuse(self, message_type: str, other_kind: dict) -> None:
        if message_type in self.message_types:
            raise ValueError(f"{self.name}: {message_type} has a handler already")
        if other_kind:
            raise ValueError(f"{self.name}: a source has handlers or outbound calls, not both")


_sources: dict[str, Source] = {}


def register_source(source: Source) -> Source:
    """Make a source known. Raises ValueError if the name is taken."""
    if source.name in _sources:
        raise ValueError(f"source {source.name} is registered already")
    _sources[source.name] = source
    return source


def source(name: str) -> Source:
    """The source of that name. Raises KeyError."""
    return _sources[name]


def find(name: str) -> Source | None:
    """The source of that name, or None if this process knows none."""
    return _sources.get(name)


def sources() -> list[Source]:
    """All sources, by name."""
    return [_sources[name] for name in sorted(_sources)]


def sources_of(command: str) -> list[Source]:
    """The sources that a manage.py command serves, by name."""
    return [source for source in sources() if source.command == command]
