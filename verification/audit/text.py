"""The findings of an audit, as text for a terminal."""

from collections.abc import Sequence
from datetime import datetime

from inbox.monitoring.terminal import wrap
from verification.findings import AuditFinding

NOTHING = "The audit found nothing wrong."


def as_text(findings: Sequence[AuditFinding], *, since: datetime | None = None, took_s: float | None = None) -> str:
    """The findings, each with its first rows and what to do."""
    scope = f"Looked at what was made since {since.isoformat(' ', 'seconds')}" if since else "Looked at all data"
    lines = [scope + (f" in {took_s:.1f} s." if took_s is not None else "."), ""]
    for finding in findings:
        lines += _finding(finding)
    lines += wrap(f"The audit has {len(findings)} findings." if findings else NOTHING)
    return "\n".join(lines)


def _finding(finding: AuditFinding) -> list[str]:
    count = f"{finding.count:,} of: " if finding.count else ""
    lines = wrap(f"{count}{finding.check}")
    for row in finding.rows:
        lines += wrap(row, "    ")
    if finding.count > len(finding.rows):
        lines += wrap(f"and {finding.count - len(finding.rows):,} more", "    ")
    return [*lines, *wrap(finding.do, "  → "), ""]
