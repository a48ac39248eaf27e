"""All that a handler's author imports: sources and their kinds, jobs, outcomes, and how to make and wake jobs.

docs/extend.md shows how to use it.
"""

from inbox.engine.enqueue import enqueue
from inbox.engine.wake import wake
from inbox.outcomes import CONTRADICTION, Outcome, dead, done, ignored, not_ready, not_there, retry
from inbox.registry import ByFlag, ByWatermark, Handler, LockedJob, Outbound, Source, register_source

__all__ = [
    "CONTRADICTION",
    "ByFlag",
    "ByWatermark",
    "Handler",
    "LockedJob",
    "Outbound",
    "Outcome",
    "Source",
    "dead",
    "done",
    "enqueue",
    "ignored",
    "not_ready",
    "not_there",
    "register_source",
    "retry",
    "wake",
]
