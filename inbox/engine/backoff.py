"""Backoff: how long a job waits before its next attempt."""

import random

# Spreads the retries of jobs that failed together; a fifth is enough, and keeps the delays close to the setting.
JITTER = 0.2
# A job that begins to wait is looked at twice more before it follows the table: the wake for it may have come a moment
# too early (wake.py). The second look is for what was not yet committed at the first.
EARLY_LOOKS_S = (2.0, 10.0)


def delay_after_attempt_s(attempt: int, steps_s: tuple[float, ...]) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1): that step of the table, up to 20 % longer."""
    step = steps_s[min(max(attempt, 1), len(steps_s)) - 1]
    return step * (1 + random.uniform(0, JITTER))  # noqa: S311 not a secret


def delay_while_waiting_s(waited_s: float, steps_s: tuple[float, ...]) -> float:
    """Seconds until a job that has waited `waited_s` is looked at again: by age, not by attempt.

    First come EARLY_LOOKS_S, each no longer than the first step of the table, and then the table.
    """
    looks_s = (*(min(look_s, steps_s[0]) for look_s in EARLY_LOOKS_S), *steps_s)
    passed = 0.0
    for number, step in enumerate(looks_s, start=1):
        passed += step
        if waited_s < passed:
            return delay_after_attempt_s(number, looks_s)
    return delay_after_attempt_s(len(looks_s), looks_s)
