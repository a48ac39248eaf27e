"""Backoff: how long a job waits before its next attempt."""

import random

# Spreads the retries of jobs that failed together; a fifth is enough, and keeps the delays close to the setting.
JITTER = 0.2


def delay_after_attempt_s(attempt: int, steps_s: tuple[float, ...]) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1): that step of the table, up to 20 % longer."""
    step = steps_s[min(max(attempt, 1), len(steps_s)) - 1]
    return step * (1 + random.uniform(0, JITTER))  # noqa: S311 not a secret


def delay_while_waiting_s(waited_s: float, steps_s: tuple[float, ...]) -> float:
    """Seconds until a job that has waited `waited_s` is looked at again: the same table, by age, not by attempt."""
    passed = 0.0
    for number, step in enumerate(steps_s, start=1):
        passed += step
        if waited_s < passed:
            return delay_after_attempt_s(number, steps_s)
    return delay_after_attempt_s(len(steps_s), steps_s)
