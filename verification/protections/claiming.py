"""Protections of a claim."""

from collections.abc import Callable
from typing import Any

from verification.patches import patched
from verification.row import Protection


def _without_locks(due: Callable[..., Any]) -> Callable[..., Any]:
    def unlocked(*args: Any) -> Any:
        jobs = due(*args).all()
        jobs.query.select_for_update = False
        return jobs

    return unlocked


SKIPS_LOCKED_JOBS = Protection(
    "skips-locked-jobs",
    "a claim locks what it picks, and skips what others have locked",
    lambda: patched("inbox.engine.claim:_due", _without_locks),
)
