"""Things that were found wrong, as plain data for the report."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the set-up.

    about     such as "index inbox_due", "setting default_transaction_isolation of role x", "grants of serviceops_web"
    what      what is wrong: "is missing"
    endangers the promise that no longer holds
    mend      the command that mends it
    """

    about: str
    what: str
    endangers: str
    mend: str


@dataclass(frozen=True, slots=True)
class SetUp:
    """Findings by the key of the row that stands on it, and facts for the head of the report, as (name, value)."""

    findings: dict[str, list[Finding]] = field(default_factory=dict)
    facts: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Traces of one kind of damage in live data.

    check what was looked for, such as "two active versions of one packet"
    count how many were found; `rows` names the first of them, such as "packet 17"
    do    what to do about it
    """

    check: str
    count: int
    rows: list[str]
    do: str
