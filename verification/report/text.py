"""The report as text of 80 columns."""

from inbox.monitoring.terminal import wrap
from verification.report.model import Report


def as_text(report: Report) -> str:
    """The report for a terminal."""
    lines = []
    for one in report.rows:
        lines += wrap(f"{one.row.number:>3} {one.row.title}: {one.verdict}")
        for finding in one.findings:
            lines += wrap(f"{finding.about} {finding.what}. {finding.mend}", "    ")
        for proof in one.proofs:
            lines += wrap(
                f"{proof.race}: {proof.run.rounds} rounds, {proof.run.broken_rounds} broken "
                f"{proof.run.broken or ''} {proof.run.error or ''}",
                "    ",
            )
            for removal in proof.removals:
                lines += wrap(
                    f"without: {removal.what}: broken in round {removal.run.rounds}: "
                    f"{removal.run.broken or 'NEVER'} {removal.run.error or ''}",
                    "      ",
                )
    return "\n".join(lines)
