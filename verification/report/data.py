"""The report as plain data, for --json. docs/locks.md lists the keys; they are not renamed."""

from dataclasses import asdict
from typing import Any

from verification.report.model import Report, RowReport
from verification.report.places import NoSuchPlace, find_place
from verification.report.words import headline, next_steps


def as_data(report: Report) -> dict[str, Any]:
    """The report; times in ISO 8601, durations in seconds (`_s`) or milliseconds (`_ms`)."""
    head = report.head
    return {
        "is_good": report.is_good,
        "headline": headline(report),
        "next_steps": next_steps(report),
        "why_no_proofs": report.why_no_proofs,
        "head": asdict(head) | {"began": head.began.isoformat(), "load": list(head.load)},
        "facts": dict(report.set_up.facts),
        "rows": [_row(one) for one in report.rows],
        "other_findings": [asdict(finding) for finding in report.other_findings],
    }


def _row(one: RowReport) -> dict[str, Any]:
    row = one.row
    return {
        "key": row.key,
        "number": row.number,
        "title": row.title,
        "verdict": one.verdict.name,
        "promise": row.promise,
        "mechanism": row.mechanism,
        "places": [_place(code) for code in row.code],
        "objects": list(row.objects),
        "settings": list(row.settings),
        "findings": [asdict(finding) for finding in one.findings],
        "proofs": [proof.as_json() | {"verdict": proof.verdict.name} for proof in one.proofs],
    }


def _place(code: str) -> dict[str, Any]:
    try:
        return {"code": code, **asdict(find_place(code))}
    except NoSuchPlace:
        return {"code": code, "path": None, "line": None, "name": None}
