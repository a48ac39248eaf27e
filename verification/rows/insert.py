"""Row 2, idempotent insert: eight sessions bring the same messages.

A       makes jobs of them                    | is held before it commits
B … H   make jobs of the same messages        | wait for A's entries in the unique key
A       commits
B … H   find that the jobs are there, and go on

P       makes the job of message 2            | is held before it commits
A       makes jobs of 1, 2, 3                 | waits for P with 1
B       makes jobs of 3, 2, 1                 | sorts them, so it waits for A with nothing
P       commits
"""

from collections import Counter
from collections.abc import Iterable
from functools import partial

from django.db import transaction

from inbox.engine.enqueue import enqueue
from inbox.engine.ingest import ingest
from inbox.models import InboxJob
from verification.job_steps import refusals
from verification.proof.stage import Stage
from verification.protections.insert import IN_ORDER, KEY_AND_ANTI_JOIN, ON_CONFLICT, ONE_JOB_PER_MESSAGE
from verification.row import Proof, Row
from verification.scenes import SOURCE, end_jobs, new_tracking_id
from verification.source_rows import clear, new_message_ids, send

MESSAGES = 5
SESSIONS = "ABCDEFGH"


def eight_sessions_enqueue_the_same_messages(stage: Stage) -> list[str]:
    """Each message becomes one job, and nobody's transaction breaks."""
    messages = [(message_id, new_tracking_id()) for message_id in new_message_ids(MESSAGES)]
    step = transaction.atomic(partial(enqueue, SOURCE.name, "witness", messages))
    with stage.hold("inbox.engine.enqueue:notify"):
        results = stage.at_once(dict.fromkeys(SESSIONS, step))
    return refusals(*results.values()) + other_than_one_job(dict(messages))


def two_enqueue_in_opposite_order(stage: Stage) -> list[str]:
    """Neither has a message that the other one waits for."""
    forth = [(message_id, new_tracking_id()) for message_id in new_message_ids(3)]
    steps = {"P": forth[1:2], "A": forth, "B": forth[::-1]}
    with stage.hold("inbox.engine.enqueue:notify", only=("P",)):
        for name, messages in steps.items():
            stage.start(name, transaction.atomic(partial(enqueue, SOURCE.name, "witness", messages)))
        stage.go("P")
    if is_cycle := stage.is_waiting("A") and stage.is_waiting("B"):
        stage.kill("B")
    results = [stage.end(name) for name in steps]
    if is_cycle:
        end_jobs()
        return ["A waits for a message that B has, and B for one that A has"]
    return refusals(*results) + other_than_one_job(dict(forth))


def eight_sessions_ingest_the_same_rows(stage: Stage) -> list[str]:
    """Each row becomes one job, and nobody's transaction breaks."""
    clear()
    rows = new_message_ids(MESSAGES)
    for message_id in rows:
        send(message_id)
    with stage.hold("inbox.engine.ingest:statement"):
        results = stage.at_once(dict.fromkeys(SESSIONS, partial(ingest, SOURCE)))
    broken = refusals(*results.values()) + other_than_one_job(rows)
    clear()
    return broken


def other_than_one_job(message_ids: Iterable[int]) -> list[str]:
    """The messages of this round that have no job, or several."""
    jobs = Counter(InboxJob.objects.filter(source=SOURCE.name).values_list("message_id", flat=True))
    end_jobs()
    return [f"message {number} has {jobs[number]} jobs" for number in message_ids if jobs[number] != 1]


ROW = Row(
    key="insert",
    number="2",
    title="Idempotent insert",
    promise="A message becomes one job, however often and by however many sessions, in whatever order.",
    mechanism="The unique key (source, message_id, revision) and ON CONFLICT DO NOTHING, by id; an anti-join.",
    code=("inbox.engine.enqueue:INSERT_JOBS", "inbox.engine.ingest:INSERT_JOBS", "inbox.engine.ingest:HAS_NO_JOB"),
    objects=("constraint inbox_one_job_per_message",),
    proofs=[
        Proof(eight_sessions_enqueue_the_same_messages, without=[ONE_JOB_PER_MESSAGE, ON_CONFLICT]),
        Proof(two_enqueue_in_opposite_order, without=[IN_ORDER]),
        Proof(eight_sessions_ingest_the_same_rows, without=[KEY_AND_ANTI_JOIN]),
    ],
)
