"""The report as Markdown, readable as it is."""

import re
from collections.abc import Iterable

from inbox.monitoring.terminal import printable
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
from verification.results import ProofResult

# All that Markdown or its HTML could take for markup. `_` inside a word is none.
MARKUP = re.compile(r"([\\`*<>\[\]|&#~]|(?<!\w)_|_(?!\w))")


def as_markdown(report: Report) -> str:
    """The report as one document."""
    lines = ["# Every lock, and its proof", "", f"**{_plain(headline(report))}** {_plain(totals(report))}", ""]
    lines += ["What to do next:", "", *(f"- {_plain(step)}" for step in next_steps(report)), ""]
    lines += ["| | |", "|---|---|"]
    lines += [f"| {_plain(name)} | {_plain(value)} |" for name, value in head_lines(report)]
    lines += ["", *_table(report)]
    for row in report.rows:
        lines += ["", *_row(row)]
    if report.other_findings:
        lines += ["", "## Wrong with the set-up, in no row of this report", ""]
        lines += [line for one in report.other_findings for line in _finding(finding_words(one), one.mend)]
    return "\n".join(lines) + "\n"


def _table(report: Report) -> Iterable[str]:
    yield f"| row | title | verdict | {' | '.join(COLUMNS)} |"
    yield "|---|---|---|---|--:|--:|--:|"
    for one in report.rows:
        yield "| " + " | ".join([_plain(one.row.number), _plain(one.row.title), one.verdict, *columns_of(one)]) + " |"


def _row(one: RowReport) -> list[str]:
    row = one.row
    lines = [f"## {_plain(row.number)} {_plain(row.title)}: {one.verdict}", "", _plain(row.promise), ""]
    lines += [f"- Kept by: {_plain(row.mechanism)}"]
    lines += [f"- In: {', '.join(_code(place) for place in place_words(row))}"] if row.code else []
    needs = [*row.objects, *(f"setting {name}" for name in row.settings)]
    lines += [f"- Needs: {', '.join(_code(need) for need in needs)}"] if needs else []
    for finding in one.findings:
        lines += _finding(finding_words(finding, row), finding.mend)
    for proof in one.proofs:
        lines += ["", *_proof(proof)]
    if len(one.proofs) < len(row.proofs):
        lines += ["", f"Missing: {len(row.proofs) - len(one.proofs)} of {len(row.proofs)} proofs."]
    return lines


def _proof(proof: ProofResult) -> Iterable[str]:
    yield f"**{_plain(proof.race.capitalize())}**: {run_words(proof.run)}. {_plain(proof.story)}"
    yield ""
    for text in broken_words(proof.run):
        yield f"- {_plain(text)}"
    for removal in proof.removals:
        yield f"- Without “{_plain(removal.what)}”: {_plain(removal_words(removal))}"


def _finding(text: str, mend: str) -> list[str]:
    return [f"- WRONG: {_plain(text)} To mend it: {_code(mend)}"]


def _plain(text: str) -> str:
    return MARKUP.sub(r"\\\1", printable(text))


def _code(text: str) -> str:
    # Within a fence that is longer than any in the text.
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{printable(text)}{padding}{fence}"
