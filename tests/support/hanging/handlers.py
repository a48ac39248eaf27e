"""Handlers of the source `test`; jobs of the type `probe` only leave a witness."""

import os

from tests.support.hanging.gate import come_through
from tests.support.probe import leave_witnesses

KILLED = 86


def wait_at_gate(jobs):
    """Write the effect first, so that there is something to roll back."""
    outcomes = leave_witnesses(jobs)
    come_through()
    return outcomes


def die(jobs):
    """A job without a tracking id ends the process as an out-of-memory killer would."""
    outcomes = leave_witnesses(jobs)
    if any(job.decision_tracking_id is None for job in jobs):
        os._exit(KILLED)
    return outcomes
