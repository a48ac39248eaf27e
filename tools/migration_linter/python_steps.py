"""Finds Python in a migration: its SQL can't be read, and in one transaction it keeps every lock to the end."""

from collections.abc import Iterable, Iterator

from django.db.migrations import Migration, RunPython, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation


def python_in_one_transaction(migration: Migration) -> list[RunPython]:
    """The steps that can't run in batches, each in its own transaction."""
    # atomic=True on the step makes a transaction even in a migration that has none.
    return [step for step in _python(migration.operations) if migration.atomic or step.atomic]


def _python(operations: Iterable[Operation]) -> Iterator[RunPython]:
    for operation in operations:
        if isinstance(operation, RunPython):
            yield operation
        elif isinstance(operation, SeparateDatabaseAndState):
            # Its state_operations run nothing.
            yield from _python(operation.database_operations)
