"""How long a job waits before its next attempt."""

import pytest

from inbox.engine.backoff import JITTER, delay_after_attempt_s, delay_while_waiting_s

STEPS_S = (60.0, 300.0, 900.0)


@pytest.mark.parametrize(("attempt", "step_s"), [(0, 60), (1, 60), (2, 300), (3, 900), (4, 900), (99, 900)])
def test_each_attempt_has_its_step_and_the_last_step_repeats(attempt, step_s):
    assert step_s <= delay_after_attempt_s(attempt, STEPS_S) <= step_s * (1 + JITTER)


@pytest.mark.parametrize(
    ("waited_s", "step_s"),
    [(0, 2), (1.9, 2), (2, 10), (11, 10), (12, 60), (71, 60), (72, 300), (371, 300), (372, 900), (1e6, 900)],
)
def test_a_waiting_job_is_looked_at_twice_early_and_then_by_the_step_of_its_age(waited_s, step_s):
    assert step_s <= delay_while_waiting_s(waited_s, STEPS_S) <= step_s * (1 + JITTER)


def test_early_looks_are_no_longer_than_the_first_step():
    assert delay_while_waiting_s(0, (0.5,)) <= 0.5 * (1 + JITTER)


def test_jobs_that_failed_together_do_not_return_together():
    assert len({delay_after_attempt_s(1, STEPS_S) for _ in range(10)}) > 1
