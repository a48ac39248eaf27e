"""The findings of an audit as text."""

from collections.abc import Sequence

from verification.findings import AuditFinding


def as_text(findings: Sequence[AuditFinding]) -> str:
    """For a terminal."""
    return "\n".join(f"{one.count} {one.check}: {', '.join(one.rows)}. {one.do}" for one in findings) or "no findings"
