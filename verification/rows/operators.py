"""Row P6, correction, requeue, release and mark dead by operators.

Two operators   A  corrects a dead job             | each is held once it has locked what it takes
                B  requeues it
A worker        O  sees job and lease, and wants to release it; held before it locks the job
                W  gives the job back, V claims it | a new lease
                O  goes on                         | must leave V's lease alone
Two clicks      A  requeues a job                  | held once it has locked it
                B  is a second click on that form  | waits for A, and is told that it was done
                A  goes on
"""

from functools import partial

from inbox.admin_pages.job_page.correction import CorrectJobForm
from inbox.engine.claim import claim
from inbox.engine.give_back import give_back
from inbox.models import InboxAudit, InboxJob
from inbox.operations.verbs import CORRECT, MARK_DEAD, RELEASE_LEASE, REQUEUE
from verification.clicks import DONE, REFUSED, click
from verification.proof.stage import Stage
from verification.protections.operators import KNOWS_THE_FORM, LOCKS_THE_FORM, LOCKS_THE_JOB, TAKES_WHAT_WAS_SEEN
from verification.row import Proof, Row
from verification.scenes import SOURCE
from verification.source_rows import new_message_ids, on_empty_tables, poll, send


@on_empty_tables
def two_operators_at_once(stage: Stage) -> list[str]:
    """One of them acts, and the other is told."""
    job = _dead_job()
    correct = click(CORRECT, job, CorrectJobForm, content="{}", message_type="witness")
    with stage.hold("inbox.operations.operation:job_facts"):
        results = stage.at_once({"A": correct, "B": click(REQUEUE, job)})
    answers = [result.get() for result in results.values()]
    return [] if sorted(answers) == [DONE, REFUSED] else ["both operators have acted on the job as they saw it"]


@on_empty_tables
def an_operator_against_a_worker(stage: Stage) -> list[str]:
    """The lease that is released is the one that the operator saw, or none."""
    job = _job()
    first = claim(SOURCE, worker_id="W", limit=1)
    job.refresh_from_db()
    with stage.hold("inbox.models.job:JobQuerySet.lock_keys", only=("O",)):
        stage.start("O", click(RELEASE_LEASE, job))
        stage.do("W", partial(give_back, first.lease_id, first.all_inbox_ids))
        second = stage.do("V", partial(claim, SOURCE, worker_id="V", limit=1))
        stage.go("O")
    stage.end("O").get()
    job.refresh_from_db()
    return [] if (job.status, job.lease_id) == ("PROCESSING", second.lease_id) else ["V has lost its lease unseen"]


@on_empty_tables
def two_clicks_on_one_form(stage: Stage) -> list[str]:
    """It is done once, and both clicks are told that it is done."""
    job = _dead_job()
    requeue = click(REQUEUE, job)
    with stage.hold("inbox.operations.operation:job_facts", only=("A",)):
        stage.start("A", requeue)
        stage.start("B", requeue)
        stage.go("A")
    answers = [stage.end(session).get() for session in "AB"]
    done = InboxAudit.objects.filter(object=f"job:{job.pk}", verb=REQUEUE.verb).count()
    return [] if (answers, done) == ([DONE, DONE], 1) else [f"it was done {done} times; the answers are {answers}"]


def _job() -> InboxJob:
    """A job that is due, with its message."""
    send(*new_message_ids(1))
    poll()
    return InboxJob.objects.get(source=SOURCE.name)


def _dead_job() -> InboxJob:
    """A job that an operator has marked dead."""
    job = _job()
    click(MARK_DEAD, job)()
    job.refresh_from_db()
    return job


ROW = Row(
    key="operators",
    number="P6",
    title="Operators",
    promise="An operator acts on what the page showed, or not at all; a second click does nothing twice.",
    mechanism="SKIP LOCKED on the job as it was seen; an advisory lock on the form's id, then a look in the audit.",
    code=("inbox.operations.operation:apply", "inbox.admin_pages.guarded_form:GuardedForm._carry_out_once"),
    objects=("trigger inbox_guard_moves on integration_inbox", "trigger inbox_audit_append_only on inbox_audit"),
    proofs=[
        Proof(two_operators_at_once, without=[LOCKS_THE_JOB]),
        Proof(an_operator_against_a_worker, without=[TAKES_WHAT_WAS_SEEN]),
        Proof(two_clicks_on_one_form, without=[LOCKS_THE_FORM, KNOWS_THE_FORM]),
    ],
)
