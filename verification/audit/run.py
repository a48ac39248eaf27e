"""Runs the checks of live data: one statement at a time, over ranges of keys, each in a transaction that only reads.

Failure modes: the role may not read a table, or a statement takes longer than statement_timeout. Then that check is
a finding of its own, as nobody has looked. A lost connection is raised.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from django.db import Error

from inbox.db.errors import is_connection_lost
from inbox.db.storable import error_text
from verification.audit.check import Check
from verification.audit.checks import all_checks
from verification.audit.ranges import SIZE, ranges, time_of
from verification.audit.reading import read_row, reading
from verification.findings import AuditFinding

NAMED = 10

COUNT_AND_NAME = f"""
SELECT count(*), coalesce((array_agg(name ORDER BY key))[:{NAMED}], ARRAY[]::text[]) FROM ({{sql}}) AS found(key, name)
"""
GRANT_OR_WAIT = (
    "Grant the role of this process SELECT on all tables and sequences, or give it more time by statement_timeout, "
    "and run the audit again."
)


def audit(*, since: datetime | None, say: Callable[[str], None], size: int = SIZE) -> list[AuditFinding]:
    """Traces of broken promises in live data; of rows made `since` then, or of all.

    Writes nothing. Reads `size` rows at a time, and says after each range how far it is.
    """
    ask = cache(lambda asks: asks())
    findings = []
    for check in all_checks():
        try:
            finding = _run(check, {**check.values, **ask(check.asks)}, since, say, size)
        except Error as error:
            finding = _not_looked_at(check, error)
        if finding:
            findings.append(finding)
    return findings


def _run(
    check: Check, values: Mapping[str, Any], since: datetime | None, say: Callable[[str], None], size: int
) -> AuditFinding | None:
    if check.find:
        say(f"{check.name} …")
        with reading():
            texts = check.find()
        return AuditFinding(check.name, len(texts), texts[:NAMED], check.do) if texts else None
    sql = COUNT_AND_NAME.replace("{sql}", check.sql)
    count, rows, read = 0, list[str](), 0
    for bounds in ranges(check.keys, since, size) if check.keys else [{"rows": 0}]:
        read += bounds["rows"]
        say(f"{check.name}: {read:,} rows read" if check.keys else f"{check.name} …")
        found, names = read_row(sql, {"since": time_of(since), **bounds, **values}) or (0, [])
        count, rows = count + found, (rows + names)[:NAMED]
    return AuditFinding(check.name, count, rows, check.do) if count else None


def _not_looked_at(check: Check, error: Error) -> AuditFinding:
    if is_connection_lost(error):
        raise error
    return AuditFinding(f"not looked at: {check.name}", 0, [error_text(error)], GRANT_OR_WAIT)
