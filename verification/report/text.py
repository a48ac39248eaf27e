"""The report as text of 80 columns: one line per row, and details of the rows that are not proved."""

import textwrap
from collections.abc import Iterable

from inbox.monitoring.terminal import clip, printable, wrap
from verification.report.model import Report, RowReport
from verification.report.words import (
    COLUMNS,
    broken_words,
    columns_of,
    finding_words,
    head_lines,
    headline,
    next_steps,
    place_words,
    removal_words,
    run_words,
    totals,
)
from verification.results import ProofResult, Verdict

WIDEST_NAME = 30
# Longer facts of the set-up are among the details.
LONGEST_FACT = 120
# The columns of a row's line: number, title, verdict, and COLUMNS.
LINE = "{:<3} {:<35} {:<11} {:<6} {:>6} {:>6} {:>7}"
TITLE_WIDTH = 35


def as_text(report: Report, *, is_detailed: bool = False) -> str:
    """The report for a terminal; `is_detailed` tells all of each row."""
    lines = ["Every lock, and its proof", ""]
    lines += _head(report, is_detailed=is_detailed)
    lines += ["", *_table(report), ""]
    mended_in: dict[str, str] = {}
    for row in report.rows:
        if is_detailed or row.verdict not in (Verdict.PROVED, Verdict.SET_UP_ONLY):
            lines += [*_details(row, mended_in), ""]
    if report.other_findings:
        lines += ["Wrong with the set-up, in no row of this report"]
        lines += [line for one in report.other_findings for line in _finding(finding_words(one), one.mend)]
        lines += [""]
    lines += wrap(headline(report))
    lines += wrap(totals(report))
    lines += ["", "What to do next"]
    for step in next_steps(report):
        lines += wrap(step, "  ", "  ")
    return "\n".join(lines)


def _head(report: Report, *, is_detailed: bool) -> Iterable[str]:
    head = head_lines(report)
    if not is_detailed:
        head = [
            (name, value)
            for name, value in head
            if len(value) <= LONGEST_FACT or (name, value) not in report.set_up.facts
        ]
    width = min(max(len(name) for name, _ in head) + 2, WIDEST_NAME)
    for name, value in head:
        yield from _entry(name, value, "  ", width)


def _table(report: Report) -> Iterable[str]:
    *columns, last = COLUMNS
    yield LINE.format("", "", "", "", "", "", last.split()[0]).rstrip()
    yield LINE.format("row", "", "verdict", *columns, last.split()[1]).rstrip()
    for row in report.rows:
        title, *rest = textwrap.wrap(printable(row.row.title), TITLE_WIDTH) or [""]
        yield LINE.format(clip(row.row.number, 3), title, row.verdict, *columns_of(row)).rstrip()
        yield from (f"{'':<4}{line}" for line in rest)


def _details(row: RowReport, mended_in: dict[str, str]) -> list[str]:
    """`mended_in` has the row that told a command first; others refer to it."""
    about = row.row
    lines = wrap(f"{about.number} {about.title}: {row.verdict}")
    lines += _entry("promise", about.promise)
    lines += _entry("kept by", about.mechanism)
    for place in place_words(about):
        lines += _entry("in", place)
    lines += _entry("needs", ", ".join([*about.objects, *(f"setting {name}" for name in about.settings)]))
    for finding in row.findings:
        first = mended_in.setdefault(finding.mend, about.number)
        mend = finding.mend if first == about.number else f"as in row {first}"
        lines += _finding(finding_words(finding, about), mend)
    for proof in row.proofs:
        lines += _proof(proof)
    if len(row.proofs) < len(about.proofs):
        lines += _entry("missing", f"{len(about.proofs) - len(row.proofs)} of {len(about.proofs)} proofs")
    return lines


def _proof(proof: ProofResult) -> list[str]:
    lines = _entry("proof", f"{proof.race}: {run_words(proof.run)}")
    lines += _entry("", proof.story)
    for text in broken_words(proof.run):
        lines += _entry("", text)
    for removal in proof.removals:
        lines += _entry("without", f"{removal.what}: {removal_words(removal)}")
    return lines


def _finding(text: str, mend: str) -> list[str]:
    return _entry("WRONG", text) + _entry("mend", mend)


def _entry(name: str, value: str, margin: str = "     ", width: int = 10) -> list[str]:
    """`value` beside its name, on as many lines as it takes; no line if there is no value."""
    if not value.strip():
        return []
    indent = f"{margin}{'':<{width}}"
    lines = [line for part in value.splitlines() for line in wrap(part, indent, indent)]
    return [f"{margin}{clip(name, width - 1):<{width}}" + lines[0][len(indent) :], *lines[1:]]
