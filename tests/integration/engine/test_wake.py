"""A waiting job is woken in the transaction that brings what it waits for; the clock makes up for a lost wake."""

import pytest
from django.db import connection, transaction

from inbox.engine.wake import wake
from inbox.engine.work import work
from inbox.models import InboxAudit, InboxJob
from inbox.outcomes import not_ready
from packets.codes import Channel
from packets.open_packet import open_packet
from tests.support.drain import drain
from tests.support.probe import claim_all, in_threads, probe_source
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

CASE = tracking_id(1)
LATER = seconds_ago(-3600)


def waiting_job(**fields):
    return job(
        status="WAITING", decision_tracking_id=CASE, next_attempt_at=LATER, waiting_since=seconds_ago(60), **fields
    )


def died_of_waiting(**fields):
    return job(status="DEAD", decision_tracking_id=CASE, error_kind="WaitLimit", last_error="waited", **fields)


def status_of(made):
    return InboxJob.objects.get(pk=made.pk).status


def test_a_waiting_job_is_due_as_soon_as_its_packet_is_made():
    waiting = waiting_job()
    send(esmd(CASE), CASE)
    drain()
    waiting.refresh_from_db()
    assert waiting.status == "NEW"
    assert waiting.next_attempt_at < LATER
    assert waiting.waiting_since is not None
    assert waiting.attempt_count == 0


def test_a_packet_opened_by_hand_wakes_too():
    waiting = waiting_job()
    open_packet(CASE, channel=Channel.FAX, by="a person", reason="the fax is here")
    assert status_of(waiting) == "NEW"


def test_only_the_jobs_of_that_case_that_wait_are_woken():
    others = [
        job(status="WAITING", decision_tracking_id=tracking_id(2)),
        job(status="FAILED", decision_tracking_id=CASE),
        job(status="DONE", decision_tracking_id=CASE),
        job(status="DEAD", decision_tracking_id=CASE, error_kind="BadMessage"),
        job(status="WAITING"),
    ]
    before = [made.status for made in others]
    assert wake([CASE], why="test") == 0
    assert [status_of(made) for made in others] == before


def test_a_job_that_died_of_waiting_comes_back_with_a_record_and_waits_again():
    dead = died_of_waiting(waiting_since=seconds_ago(700000), finished_at=seconds_ago(10))
    assert wake([CASE], why="the packet has come") == 1
    dead.refresh_from_db()
    assert (dead.status, dead.waiting_since, dead.finished_at) == ("NEW", None, None)
    entry = InboxAudit.objects.get()
    assert (entry.object, entry.verb, entry.reason) == (f"job:{dead.pk}", "wake", "the packet has come")


def test_a_wake_that_is_rolled_back_wakes_nobody():
    waiting, dead = waiting_job(), died_of_waiting()
    with transaction.atomic():
        assert wake([CASE], why="test") == 2
        transaction.set_rollback(True)
    assert (status_of(waiting), status_of(dead)) == ("WAITING", "DEAD")
    assert not InboxAudit.objects.exists()


def test_a_wake_waits_for_nobody():
    held, free = waiting_job(), waiting_job()
    with transaction.atomic():
        InboxJob.objects.filter(pk=held.pk).select_for_update().get()
        assert in_threads(lambda: wake([CASE], why="test")) == [1]
    assert (status_of(held), status_of(free)) == ("WAITING", "NEW")


def test_the_clock_heals_a_wake_that_came_a_moment_too_early(settings):
    """The handler has looked, the other one brings the thing and wakes, the handler says that it is not there."""
    settings.INBOX_BACKOFF = (60.0,)
    made = job(decision_tracking_id=CASE)

    def looks_too_early(jobs):
        in_threads(lambda: wake([CASE], why="it has come"))
        return [not_ready("the thing") for _ in jobs]

    work(claim_all(probe_source(looks_too_early)))
    assert status_of(made) == "WAITING"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_inbox SET next_attempt_at = next_attempt_at - interval '72 seconds'")
    assert work(claim_all(probe_source(lambda jobs: [not_ready("it")] * len(jobs)))).waiting == 1


@pytest.mark.parametrize(("note", "is_early"), [("held up: a lock", True), ("another thing", True), ("it", False)])
def test_a_job_that_begins_to_wait_for_something_else_is_looked_at_early(note, is_early):
    """A wake that is lost then would else be made up for after as long as the job has waited before."""
    made = job(waiting_since=seconds_ago(3000), note=note)
    work(claim_all(probe_source(lambda jobs: [not_ready("it")] * len(jobs))))
    made.refresh_from_db()
    assert (made.status, made.note) == ("WAITING", "it")
    assert (made.next_attempt_at < seconds_ago(-60)) == is_early


def test_the_wait_limit_counts_from_the_first_wait_whatever_woke_it_since(settings):
    settings.INBOX_WAIT_LIMIT = 30.0
    waiting = waiting_job()
    wake([CASE], why="something else has come")
    work(claim_all(probe_source(lambda jobs: [not_ready("the thing") for _ in jobs])))
    assert status_of(waiting) == "DEAD"
