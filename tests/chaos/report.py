"""The table of docs/reliability.md, from the lines that the slices of the campaign have left."""

import json
from collections import Counter
from pathlib import Path

from tests.chaos.account import HARM, OTHER
from tests.chaos.faults import KINDS
from tests.support.project import PROJECT

DOCUMENT = PROJECT / "docs" / "reliability.md"
KEPT = PROJECT / "docs" / "reliability-runs.jsonl"
BEGIN = "<!-- by python -m tests.chaos.campaign --report -->\n"
END = "<!-- end -->\n"
TITLES = {
    "lost": "messages lost",
    "twice": "effects done twice, or done and not marked",
    "reopened": "ended jobs reopened",
    "deadlocks": "jobs with a deadlock among their errors",
    "stuck": "jobs stuck",
    OTHER: "breaks of other invariants",
}


def write_report(results: Path) -> None:
    """Move the lines of `results` to those that are kept, and write the table of all."""
    if results.exists():
        with KEPT.open("a") as kept:
            kept.write(results.read_text())
        results.unlink()
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), KEPT.read_text() if KEPT.exists() else ""))


def with_table(document: str, lines: str) -> str:
    """The document with the table of these lines. Raises ValueError if its marks are missing."""
    before, found, rest = document.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found and found_end):
        raise ValueError(f"docs/reliability.md has no place for the table; it lies between {BEGIN!r} and {END!r}.")
    return before + BEGIN + "\n" + _table([json.loads(line) for line in lines.splitlines()]) + "\n" + END + after


def _table(slices: list[dict]) -> str:
    faults: Counter[str] = Counter()
    longest: dict[str, float] = {}
    harm: Counter[str] = Counter()
    of_domain: Counter[str] = Counter()
    for one in slices:
        faults.update(one["faults"])
        harm.update(one["harm"])
        of_domain.update(one["of_domain"])
        for name, s in one["recovery_s"].items():
            longest[name] = max(longest.get(name, 0.0), s)
    hours = sum(one["broke_s"] for one in slices) / 3600
    rows = [
        ("slices", f"{len(slices):,}, {sum(one['behind_pooler'] for one in slices):,} of them behind PgBouncer"),
        ("time under faults", f"{hours:.1f} h"),
        ("messages", f"{sum(one['messages'] for one in slices):,}"),
        *((name, f"{count:,}") for name, count in sorted(of_domain.items())),
        ("faults", f"{faults.total():,} of {len(faults)} kinds"),
        *((TITLES[column], f"{harm[column]:,}") for column in [*HARM, OTHER]),
        ("transactions that the server ended as deadlocks", f"{sum(one['deadlocks'] for one in slices):,}"),
        ("longest time from the end of a fault to the next job done", f"{max(longest.values(), default=0):.1f} s"),
    ]
    kinds = [
        (kind.name, kind.does, f"{faults[kind.name]:,}", f"{longest[kind.name]:.1f} s" if kind.name in longest else "-")
        for kind in KINDS
    ]
    return "\n".join(
        [
            "| in all slices together | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
            "| fault | what is done | times | longest recovery |",
            "|---|---|--:|--:|",
            *(f"| {' | '.join(kind)} |" for kind in kinds),
            "",
        ]
    )
