"""Protections of a wake."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from verification.patches import patched, without_text
from verification.row import Protection

NEVER_S = 1e6


def _in_a_transaction_of_its_own(plain: Callable[..., int]) -> Callable[..., int]:
    def wake(*args: Any, **kwargs: Any) -> int:
        def and_close() -> int:
            try:
                return plain(*args, **kwargs)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as other_session:
            return other_session.submit(and_close).result()

    return wake


WAKES_WITH_WHAT_CAME = Protection(
    "wake-in-transaction",
    "a wake is part of the transaction that brings what the job waits for",
    lambda: patched("packets.open_packet:wake", _in_a_transaction_of_its_own),
)
WAKE_SKIPS_LOCKED = Protection(
    "wake-skips-locked",
    "a wake skips jobs that others have locked",
    lambda: without_text("inbox.engine.wake:LOCK_WAITING_JOBS", "SKIP LOCKED"),
)
CLOCK = Protection(
    "wake-without-clock",
    "a job that waits is looked at again after some seconds, woken or not",
    lambda: patched("inbox.engine.finish:delay_while_waiting_s", lambda plain: lambda waited_s, steps_s: NEVER_S),
)
