"""The findings of an audit, as text for a terminal."""

from collections.abc import Sequence

from inbox.monitoring.terminal import wrap
from verification.findings import AuditFinding


def as_text(findings: Sequence[AuditFinding]) -> str:
    """The findings, each with its first rows and what to do."""
    lines = [line for finding in findings for line in _lines_of(finding)]
    lines += wrap(f"Findings of the audit: {len(findings)}." if findings else "The audit found nothing wrong.")
    return "\n".join(lines)


def _lines_of(finding: AuditFinding) -> list[str]:
    count = f"{finding.count:,} of: " if finding.count else ""
    lines = wrap(f"{count}{finding.check}")
    for row in finding.rows:
        lines += wrap(row, "    ")
    if finding.count > len(finding.rows):
        lines += wrap(f"and {finding.count - len(finding.rows):,} more", "    ")
    return [*lines, *wrap(f"What to do: {finding.do}", "  "), ""]
