"""Runs the checks of live data, one statement at a time over ranges of keys."""

from collections.abc import Callable
from datetime import datetime

from verification.findings import AuditFinding


def audit(*, since: datetime | None, say: Callable[[str], None]) -> list[AuditFinding]:
    """What the live data tells of broken promises; of rows made `since` then, or of all."""
    return []
