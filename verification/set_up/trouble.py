"""Something that is wrong, before it is known which rows it concerns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from verification.findings import Finding, SetUp
from verification.row import Row

# The row that tells of a table, if no row names the table itself.
ROW_OF_TABLE = {
    "integration_inbox": "status",
    "integration_send_serviceops": "insert",
    "service_ops_send_serviceops": "clinical-ops",
    "poll_watermark": "watermark",
    "inbox_worker": "presence",
    "inbox_pause": "pause",
    "inbox_audit": "operators",
    "inbox_correction": "operators",
    "packet": "packets",
    "packet_document": "packets",
    "packet_event": "packets",
    "packet_decision": "decisions",
    "packet_decision_message": "decisions",
    "send_integration": "decisions",
    "send_clinicalops": "decisions",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong.

    about, what, mend, endangers as of a Finding; if `endangers` is empty, it is the promise of the row
    concerns                     names that a row may have among its objects or settings
    row                          the key of the row that tells of it if no row has such a name
    """

    about: str
    what: str
    mend: str
    endangers: str = ""
    concerns: tuple[str, ...] = ()
    row: str = ""


def of_table(table: str) -> dict[str, Any]:
    """Where a trouble of a whole table belongs: arguments of Trouble."""
    return {"concerns": (f"table {table}",), "row": ROW_OF_TABLE.get(table, "")}


def is_called(name: str, called: str) -> bool:
    """True if a row means the object `name`. It may leave out a trigger's table."""
    return called == name or name.startswith(f"{called} on ")


def sort_out(troubles: Sequence[Trouble], rows: Sequence[Row]) -> SetUp:
    """Each trouble as a finding of the rows that stand on it; as a fact if none of these rows does."""
    set_up = SetUp({row.key: [] for row in rows})
    for trouble in troubles:
        finding = Finding(trouble.about, trouble.what, trouble.endangers, trouble.mend)
        concerned = [row for row in rows if _stands_on(row, trouble)]
        for row in concerned or [row for row in rows if row.key == trouble.row]:
            set_up.findings[row.key].append(replace(finding, endangers=finding.endangers or row.promise))
            concerned = [row]
        if not concerned:
            set_up.facts.append((f"not in order: {trouble.about}", f"{trouble.what}. {trouble.mend}"))
    return set_up


def _stands_on(row: Row, trouble: Trouble) -> bool:
    return any(is_called(name, called) for name in trouble.concerns for called in (*row.objects, *row.settings))
