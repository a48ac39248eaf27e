"""manage.py fix_identities: moves identities past ids that other programs have supplied."""

from typing import Any

from django.core.management.base import CommandParser

from inbox.db.identities import fix, identities_behind
from inbox.management.base import DatabaseCommand


class Command(DatabaseCommand):
    help = (
        "Move the identity of each table past the ids that its rows have, so that no plain INSERT collides with one. "
        "Each table is locked against INSERTs for some milliseconds. `manage.py check --database default` tells "
        "whether there is anything to do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only list the identities that are behind")

    def handle(self, *args: Any, **options: Any) -> None:
        behind = identities_behind()
        for identity in behind:
            name = f"{identity.table}.{identity.column}"
            if options["dry_run"]:
                self.report(f"{name}: next is {identity.next_value:,}, but a row has {identity.highest:,}")
            elif (next_value := fix(identity)) is not None:
                self.report(f"{name}: next is {next_value:,}, was {identity.next_value:,}")
        if not behind:
            self.report("no identity is behind")
