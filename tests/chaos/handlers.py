"""Handlers of the chaos test: messages that are good, wait, bring, fail once, or can never work."""

import os
import random
import signal
import time

from django.db import connection

from inbox.engine.wake import wake
from inbox.outcomes import dead, done, not_ready

# So long that workers are busy most of the time: what strikes an idle one breaks nothing.
LONGEST_WORK_S = 0.1


def good(jobs):
    _leave_effects(jobs)
    _take_a_while()
    return [done() for _ in jobs]


def waits(jobs):
    here = _here([job.decision_tracking_id for job in jobs])
    _take_a_while()
    ready = [job for job in jobs if job.decision_tracking_id in here]
    _leave_effects(ready)
    return [done() if job in ready else not_ready("its thing") for job in jobs]


def brings(jobs):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO chaos_thing SELECT DISTINCT unnest(%s::uuid[]) ORDER BY 1 ON CONFLICT DO NOTHING",
            [[job.decision_tracking_id for job in jobs]],
        )
    _leave_effects(jobs)
    wake({job.decision_tracking_id for job in jobs}, why="its thing has come")
    _take_a_while()
    return [done() for _ in jobs]


def flaky(jobs):
    """Fails the first time, with a text that can't be stored as it is."""
    _leave_effects(jobs)
    if any(job.attempt_count == 1 for job in jobs):
        raise RuntimeError("no \x00 good \ud800")
    return [done() for _ in jobs]


def poison(jobs):
    return [dead("it can never work") for _ in jobs]


def killer(jobs):
    """Ends the process in the middle of its work, as a message does for which there is not enough memory."""
    _leave_effects(jobs)
    os.kill(os.getpid(), signal.SIGKILL)
    return [done() for _ in jobs]


HANDLERS = {"good": good, "waits": waits, "brings": brings, "flaky": flaky, "poison": poison, "killer": killer}


def _leave_effects(jobs):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO chaos_effect SELECT unnest(%s::bigint[])", [[job.inbox_id for job in jobs]])


def _here(tracking_ids):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracking_id FROM chaos_thing WHERE tracking_id = ANY(%s::uuid[])", [tracking_ids])
        return {tracking_id for (tracking_id,) in cursor.fetchall()}


def _take_a_while():
    """Not in every batch, so that there is also speed; inside the transaction, so that there is something to break."""
    if random.random() < 0.5:
        time.sleep(random.uniform(0, LONGEST_WORK_S))
