"""Which sources there are, and who handles what. Other apps fill this in their AppConfig.ready().

The engine learns of its callers only here: it imports none of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
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


# Called inside the transaction that finishes the jobs; one outcome per job, in the same order.
Handler = Callable[[Sequence[LockedJob]], Sequence[Outcome]]


@dataclass(frozen=True, slots=True)
class ByWatermark:
    """Rows of a table that are inserted and stay as they are; read from the pair (created_at, message_id) on.

    table            has message_id, decision_tracking_id, channel_type_id, created_at, is_deleted, and an index on
                     (created_at, message_id)
    message_type_sql an SQL expression on the row `s` that never raises and never gives null
    """

    table: str
    message_type_sql: str


@dataclass(frozen=True, slots=True)
class ByFlag:
    """Rows that become eligible, or change, by UPDATE at any time; read by a flag that a trigger lowers.

    table        has message_id, decision_tracking_id, created_at, updated_at, is_deleted
    eligible_sql a condition on the row `s`, as in the partial index on message_id of the rows whose flag is down
    flag         a bool column: the present content has its job; a trigger lowers it when the content changes
    revision     an int column that the same trigger raises when a content that had its job changes
    message_type of all its jobs
    """

    table: str
    eligible_sql: str
    flag: str
    revision: str
    message_type: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where messages come from. Without `reads`, its jobs are made by the code that needs them done.

    name    as in integration_inbox.source
    command the manage.py command that serves it
    """

    name: str
    command: str
    reads: ByWatermark | ByFlag | None = None
    handlers: dict[str, Handler] = field(default_factory=dict)

    def handles(self, message_type: str) -> Callable[[Handler], Handler]:
        """Decorator: the function handles this source's messages of that type. Raises ValueError for a second one."""

        def register(handler: Handler) -> Handler:
            if message_type in self.handlers:
                raise ValueError(f"{self.name}: {message_type} has a handler already")
            self.handlers[message_type] = handler
            return handler

        return register


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


def sources() -> list[Source]:
    """All sources, by name."""
    return [_sources[name] for name in sorted(_sources)]


def sources_of(command: str) -> list[Source]:
    """The sources that a manage.py command serves, by name."""
    return [source for source in sources() if source.command == command]
