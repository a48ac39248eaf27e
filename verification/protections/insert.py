"""Protections of the insert: one job per message, however often and by however many it is brought."""

from contextlib import ExitStack

from inbox.engine.ingest import HAS_NO_JOB
from verification.patches import without_text
from verification.protections.schema import without_constraint
from verification.row import Protection
from verification.scenes import end_jobs


def _without_key_and_anti_join() -> ExitStack:
    with ExitStack() as stack:
        stack.enter_context(without_constraint("integration_inbox", "inbox_one_job_per_message", clean=end_jobs))
        stack.enter_context(without_text("inbox.engine.ingest:SELECT_ROWS_ABOVE_WATERMARK", HAS_NO_JOB, "true"))
        return stack.pop_all()


ONE_JOB_PER_MESSAGE = Protection(
    "one-job-per-message",
    "the unique key inbox_one_job_per_message",
    lambda: without_constraint("integration_inbox", "inbox_one_job_per_message", clean=end_jobs),
)
ON_CONFLICT = Protection(
    "on-conflict",
    "the insert passes over a message that has its job: ON CONFLICT DO NOTHING",
    lambda: without_text("inbox.engine.enqueue:INSERT_JOBS", "ON CONFLICT DO NOTHING"),
)
IN_ORDER = Protection(
    "enqueues-in-order",
    "messages are inserted in the order of their ids",
    lambda: without_text("inbox.engine.enqueue:INSERT_JOBS", " ORDER BY job.message_id\n"),
)
KEY_AND_ANTI_JOIN = Protection(
    "key-and-anti-join",
    "the unique key, and before it the anti-join; each of them would be enough",
    _without_key_and_anti_join,
)
