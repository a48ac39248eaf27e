"""Protections of the reclaimer: it locks what it picks, in key order, and waits for nobody."""

from collections.abc import Callable
from typing import Any

from inbox.models.job import JobQuerySet
from verification.patches import patched
from verification.row import Protection

LOCK_KEYS = "inbox.models.job:JobQuerySet.lock_keys"


def _keys(order: str, *, are_locked: bool) -> Callable[[Any], Callable[..., list[int]]]:
    """Pick keys in this order; lock them, and wait where they are locked, or don't lock them at all."""

    def lock_keys(jobs: JobQuerySet, limit: int | None = None) -> list[int]:
        rows = jobs.order_by(order)
        if are_locked:
            rows = rows.select_for_update()
        return list(rows.values_list("inbox_id", flat=True)[:limit])

    return lambda plain: lock_keys


RECLAIM_WAITS = Protection(
    "reclaim-waits",
    "a reclaimer skips jobs that somebody works on",
    lambda: patched(LOCK_KEYS, _keys("inbox_id", are_locked=True)),
)
RECLAIM_WAITS_IN_ANY_ORDER = Protection(
    "reclaim-waits-in-any-order",
    "a reclaimer skips locked jobs, and takes the others in key order",
    lambda: patched(LOCK_KEYS, _keys("-inbox_id", are_locked=True)),
)
RECLAIM_LOCKS = Protection(
    "reclaim-locks",
    "a reclaimer locks the jobs that it picks",
    lambda: patched(LOCK_KEYS, _keys("inbox_id", are_locked=False)),
)
