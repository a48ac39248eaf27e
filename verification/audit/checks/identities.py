"""Identities behind their tables: plain INSERTs will fail when they reach the rows that are there."""

from inbox.db.identities import identities_behind
from verification.audit.check import Check


def _behind() -> list[str]:
    return [
        f"{identity.table}: the highest {identity.column} is {identity.highest}, the next one is {identity.next_value}"
        for identity in identities_behind()
    ]


CHECKS = [Check("identities behind their tables", "Type: manage.py fix_identities", find=_behind)]
