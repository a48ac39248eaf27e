"""The report as one HTML file: no scripts, nothing is loaded, prints well. The template escapes every value."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.template import Context, Engine

from inbox.monitoring.terminal import printable
from verification.report.lanes import MARKS, Graph, graph_of
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

FOLDER = Path(__file__).parent / "html_page"
CLASSES = {
    Verdict.PROVED: "good",
    Verdict.FAILED: "bad",
    Verdict.NOT_PROVED: "unproved",
    Verdict.SET_UP_ONLY: "setup",
}
LEGEND = {
    "starts": "starts a step",
    "held": "is held at a gate",
    "goes": "goes on",
    "waits": "waits for a lock",
    "ended": "has ended its step",
    "error": "ended with an error",
    "killed": "was killed",
}


def as_html(report: Report) -> str:
    """The report as one page."""
    # An engine of its own: no loader or setting of the web can change what a report looks like.
    engine = Engine(dirs=[str(FOLDER)])
    context = {
        "headline": headline(report),
        "is_good": report.is_good,
        "totals": totals(report),
        "next_steps": next_steps(report),
        "head": head_lines(report),
        "columns": [column.capitalize() for column in COLUMNS],
        "rows": [_row(row) for row in report.rows],
        "other_findings": [_finding(finding_words(one), one.mend) for one in report.other_findings],
        "legend": [(kind, MARKS[kind], text) for kind, text in LEGEND.items()],
    }
    page = engine.get_template("report.html").render(Context(context))
    return "\n".join(printable(line) for line in page.split("\n"))


def _row(one: RowReport) -> dict[str, Any]:
    row = one.row
    return {
        "key": row.key,
        "number": row.number,
        "title": row.title,
        "verdict": one.verdict,
        "class": CLASSES[one.verdict],
        "columns": columns_of(one),
        "promise": row.promise,
        "mechanism": row.mechanism,
        "places": place_words(row),
        "needs": [*row.objects, *(f"setting {name}" for name in row.settings)],
        "findings": [_finding(finding_words(finding, row), finding.mend) for finding in one.findings],
        "proofs": [_proof(proof) for proof in one.proofs],
        "missing": len(row.proofs) - len(one.proofs),
        "of": len(row.proofs),
    }


def _proof(proof: ProofResult) -> dict[str, Any]:
    return {
        "race": proof.race[:1].upper() + proof.race[1:],
        "story": proof.story,
        "run": run_words(proof.run),
        "class": CLASSES[proof.verdict],
        "is_open": proof.verdict is not Verdict.PROVED,
        "broken": broken_words(proof.run),
        "graph": _graph("What one round saw", proof.run.moments),
        "removals": [
            {
                "what": removal.what,
                "result": removal_words(removal),
                "class": "good" if removal.is_seen else "unproved",
                "graph": _graph("What the round without it saw", removal.run.moments),
            }
            for removal in proof.removals
        ],
    }


def _finding(text: str, mend: str) -> dict[str, str]:
    return {"text": text, "mend": mend}


@dataclass(frozen=True, slots=True)
class _Picture:
    title: str
    graph: Graph


def _graph(title: str, moments: list[Any]) -> _Picture | None:
    graph = graph_of(moments)
    return _Picture(title, graph) if graph.lines else None
