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
class Source:
    """A table that another program inserts into.

    name             as in integration_inbox.source
    table            has message_id, decision_tracking_id, channel_type_id, created_at, is_deleted
    message_type_sql an SQL expression on the row `s` that never raises and never gives null
    command          the manage.py command that serves it
    """

    name: str
    table: str
    message_type_sql: str
    command: str
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
