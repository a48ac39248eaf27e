"""Each SQLSTATE of the table, raised by the server inside a handler: what is done with the jobs in hand."""

import pytest
from django.db import Error, connection

from inbox.db.sqlstates import KNOWN, Meaning, known
from inbox.engine.hold_up import HoldUps
from inbox.engine.outbound import prepare, write_answers
from inbox.engine.work import work
from inbox.events import Event
from inbox.models import InboxJob
from inbox.monitoring.diagnosis import find_stalls
from inbox.monitoring.open_jobs import list_open_jobs
from inbox.monitoring.snapshot import take_snapshot
from inbox.monitoring.waiting import why_waiting
from inbox.worker.held_claim import HeldClaim
from inbox.worker.ingester import ROWS
from inbox.worker.loop import Worker
from tests.support.log_lines import lines
from tests.support.outbound import Service, outbound_source, outbound_worker
from tests.support.probe import claim_all, leave_witnesses, many_jobs, probe_source, witnesses
from tests.support.rows import job, seconds_ago, send
from tests.support.workers import worker as worker_row

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("witness_table")]

# A class stands for its codes; some have no code of their own that ends in 000.
CODES = [code if len(code) == 5 else f"{code}000" for code in KNOWN]
REFUSALS = (Meaning.SERVER, Meaning.DOUBT, Meaning.COLLISION)


def by_meaning(*meanings):
    return [code for code in CODES if known(code).meaning in meanings]


def raises(sqlstate, only=None):
    def handler(jobs):
        outcomes = leave_witnesses(jobs)
        if only is None or any(held.inbox_id == only for held in jobs):
            with connection.cursor() as cursor:
                cursor.execute(f"DO $$ BEGIN RAISE 'MARKED' USING ERRCODE = '{sqlstate}'; END $$")
        return outcomes

    return handler


def new_jobs(count):
    InboxJob.objects.all().delete()
    return many_jobs(count)


def states():
    return list(InboxJob.objects.order_by("pk").values_list("status", "attempt_count", "runs_alone"))


def make_due():
    InboxJob.objects.exclude(status="DONE").update(next_attempt_at=seconds_ago(1))


def test_the_table_has_what_a_server_raises_when_it_is_in_trouble():
    trouble = ("53100", "53200", "53400", "55P03", "57014", "40001", "40P01", "58030", "XX000", "57000")
    assert all(known(code).meaning in REFUSALS for code in trouble)
    assert known("08006").meaning is Meaning.CONNECTION
    assert all(known(code).meaning is Meaning.AWAY for code in ("25006", "57P01", "57P02", "57P03", "53300"))
    assert known("ZZ999").meaning is known(None).meaning is Meaning.MESSAGE


def test_a_refusal_costs_no_attempt_and_the_type_pauses():
    for sqlstate in by_meaning(*REFUSALS):
        new_jobs(3)
        hold_ups = HoldUps()
        source = probe_source(raises(sqlstate))
        assert work(claim_all(source), hold_ups=hold_ups).given_back == 3
        assert [state[:2] for state in states()] == [("NEW", 0)] * 3
        rows = InboxJob.objects.values_list("errors", "last_error", "note")
        assert set(map(str, rows)) == {str(([], None, f"held up: {known(sqlstate).text} (SQLSTATE {sqlstate})"))}
        assert hold_ups.open_types(source) == ()
        assert len(claim_all(source)) == 0
    assert witnesses() == []


def test_an_error_of_the_message_costs_its_attempt():
    for sqlstate in by_meaning(Meaning.MESSAGE):
        keys = new_jobs(3)
        assert work(claim_all(probe_source(raises(sqlstate, keys[1])))).done == 2
        assert states() == [("DONE", 1, False), ("FAILED", 1, False), ("DONE", 1, False)]
        assert InboxJob.objects.get(pk=keys[1]).last_error == f"{known(sqlstate).text} (SQLSTATE {sqlstate})"


def test_a_lost_connection_goes_to_the_worker():
    for sqlstate in by_meaning(Meaning.CONNECTION, Meaning.AWAY):
        new_jobs(3)
        with pytest.raises(Error):
            work(claim_all(probe_source(raises(sqlstate))))
        assert states() == [("PROCESSING", 1, False)] * 3


def test_a_job_alone_is_blamed_for_what_the_server_does_only_if_that_comes_again():
    for sqlstate, states_after in (("57P01", ["NEW", "FAILED"]), ("25006", ["NEW", "FAILED"]), ("08006", ["FAILED"])):
        new_jobs(1)
        InboxJob.objects.update(runs_alone=True)
        source = probe_source(raises(sqlstate))
        for status in states_after:
            make_due()
            busy = Worker(sources=[source], worker_id="w", batch_size=9, poll_interval_s=0.01)
            busy.once()
            assert [state[:2] for state in states()] == [(status, int(status == "FAILED"))]
            assert busy.counts.attempted == int(status == "FAILED")


def test_a_server_that_stays_away_after_it_said_why_is_still_no_jobs_fault():
    """At a switchover, the next tries to connect fail without a word."""
    many_jobs(1)
    InboxJob.objects.update(runs_alone=True)
    held = HeldClaim()
    with pytest.raises(KeyboardInterrupt), held.holding(claim_all(probe_source())):
        raise KeyboardInterrupt
    held.connection_lost("the database is shutting down")
    held.connection_lost()
    held.give_back()
    assert states() == [("NEW", 0, True)]


def test_a_job_that_is_refused_among_others_goes_alone_and_they_are_done():
    keys = many_jobs(5)
    source = probe_source(raises("53400", keys[2]))
    hold_ups = HoldUps()
    counts = work(claim_all(source), hold_ups=hold_ups)
    assert (counts.done, counts.given_back) == (4, 1)
    assert witnesses() == [key for key in keys if key != keys[2]]
    assert states()[2] == ("NEW", 0, True)
    assert hold_ups.open_types(source) == ("probe",)
    for _ in range(6):
        make_due()
        assert work(claim_all(source), hold_ups=hold_ups).given_back == 1
    assert states()[2] == ("NEW", 0, True)
    assert hold_ups.open_types(source) == ("probe",)


def test_the_first_of_a_batch_that_is_refused_by_itself_stops_the_others_once():
    keys = many_jobs(5)
    source = probe_source(raises("53400", keys[0]))
    assert work(claim_all(source)).given_back == 5
    make_due()
    assert work(claim_all(source)).given_back == 1
    assert work(claim_all(source)).done == 4


def test_a_statement_that_is_too_slow_by_itself_ends_in_a_failure():
    [key] = many_jobs(1)

    def handler(jobs):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '50ms'")
            cursor.execute("SELECT pg_sleep(10)")

    source = probe_source(handler)
    assert work(claim_all(source)).given_back == 1
    assert states() == [("NEW", 0, True)]
    make_due()
    assert work(claim_all(source)).failed == 1
    failed = InboxJob.objects.get(pk=key)
    assert failed.last_error == "a statement took too long, or somebody cancelled it (SQLSTATE 57014)"


def test_the_pause_of_a_job_alone_grows_with_its_wait_and_of_a_type_with_its_tries():
    [key] = many_jobs(1)
    source = probe_source(raises("53100"))
    hold_ups = HoldUps()
    work(claim_all(source), hold_ups=hold_ups)
    InboxJob.objects.update(waiting_since=seconds_ago(60), next_attempt_at=seconds_ago(1))
    work(claim_all(source), hold_ups=hold_ups)
    held = InboxJob.objects.get(pk=key)
    assert 14 < (held.next_attempt_at - held.updated_at).total_seconds() < 16
    pauses = [hold_ups.begin(source, "other", "why") for _ in range(5)]
    for pause_s, longest_s in zip(pauses, (1, 2, 4, 5, 5), strict=True):
        assert longest_s * 0.8 <= pause_s <= longest_s


def test_what_a_job_has_waited_for_a_message_is_not_taken_for_a_hold_up():
    [key] = many_jobs(1)
    InboxJob.objects.update(waiting_since=seconds_ago(86400), note="waits for its packet", runs_alone=True)
    work(claim_all(probe_source(raises("53100"))))
    held = InboxJob.objects.get(pk=key)
    assert held.waiting_since == held.updated_at
    assert (held.next_attempt_at - held.updated_at).total_seconds() == 1


def test_a_pause_is_told_once_and_its_end_too():
    source, hold_ups = probe_source(), HoldUps()
    with lines() as written:
        for _ in range(4):
            hold_ups.begin(source, "probe", "the disk of the database is full")
        hold_ups.end(source, "probe")
        hold_ups.end(source, "probe")
    assert [(line["level"], line["message_type"]) for line in written] == [("warning", "probe"), ("info", "probe")]
    assert written[0]["reason"] == "the disk of the database is full"
    assert written[1]["count"] == 4
    assert not hold_ups


def test_a_refusal_long_after_the_last_one_is_told_as_another(monkeypatch):
    """Other workers did the jobs meanwhile, so this one has not seen that the first was over."""
    source, hold_ups = probe_source(), HoldUps()
    with lines() as written:
        for _ in range(4):
            hold_ups.begin(source, "probe", "the disk of the database is full")
        monkeypatch.setattr("inbox.engine.hold_up.FORGET_AFTER_S", -60)
        assert hold_ups.begin(source, "probe", "a lock was not given in time") <= 1
    assert [line["event"] for line in written] == [Event.HOLD_UP_BEGAN.value[2]] * 2


def test_a_worker_leaves_alone_what_was_refused_and_goes_on_with_the_rest():
    job(), job(message_type="other")
    send({})
    source = probe_source()
    source.handles("other")(leave_witnesses)
    worker = Worker(sources=[source], worker_id="w", batch_size=9, poll_interval_s=1)
    for what in ("probe", ROWS):
        worker.hold_ups.begin(source, what, "a lock was not given in time")
    # A pause of this test lasts until it is ended here.
    worker.hold_ups.have_opened = lambda: False
    worker.hold_ups.is_open = lambda source, what: what == "other"
    assert worker.once().done == 1
    assert list(InboxJob.objects.values_list("message_type", "status")) == [("probe", "NEW"), ("other", "DONE")]
    del worker.hold_ups.is_open
    for what in ("probe", ROWS):
        worker.hold_ups.end(source, what)
    assert worker.drain().done == 3


@pytest.mark.parametrize("half", ["prepare", "finish"])
def test_an_outbound_job_that_is_refused_before_or_after_its_call_is_done_later(half):
    keys = many_jobs(6)
    refusals = []

    def refuse_three_times():
        if len(refusals) < 3:
            refusals.append(1)
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE 'MARKED' USING ERRCODE = '53100'; END $$")

    def prepare(jobs):
        if half == "prepare":
            refuse_three_times()
        return [held.message_id for held in jobs]

    def finish(jobs, answers):
        leave_witnesses(jobs)
        if half == "finish":
            refuse_three_times()
        return answers

    source = outbound_source(Service(is_open=True), prepare, finish)
    while InboxJob.objects.exclude(status="DONE").exists():
        # A job that is held up alone is left, as it is not due.
        make_due()
        outbound_worker(source).drain()
    assert len(refusals) == 3
    assert witnesses() == keys
    assert set(InboxJob.objects.values_list("attempt_count", "last_error")) == {(1, None)}


def test_a_hold_up_of_answers_is_not_over_when_the_next_calls_are_prepared():
    many_jobs(2)
    source = outbound_source(Service(is_open=True), finish=lambda jobs, answers: raises("55P03")(jobs))
    hold_ups = HoldUps()
    with lines() as written:
        for _ in range(2):
            make_due()
            claimed = claim_all(source)
            calls = prepare(claimed, hold_ups)
            assert write_answers(claimed, "probe", calls, hold_ups).given_back == len(calls) > 0
    assert [line["level"] for line in written if line["level"] != "debug"] == ["warning"]


def test_people_are_told_why_a_job_is_held_up():
    intake = {"source": "integration", "message_type": "intake"}
    note = "held up: the disk of the database is full (SQLSTATE 53100)"
    held = job(**intake, note=note, next_attempt_at=seconds_ago(-60))
    job(**intake)
    assert [(group.is_due, group.why) for group in list_open_jobs()] == [(True, note), (False, note)]
    assert why_waiting(held).startswith(f"It is {note}. The next attempt is in ")
    worker_row(command="run_inbox_worker", last_seen_at=seconds_ago(0))
    assert find_stalls(take_snapshot(None)) == []
    InboxJob.objects.filter(pk=held.pk).update(waiting_since=seconds_ago(365))
    [stall] = find_stalls(take_snapshot(None))
    assert stall.why == f"2 jobs are {note}, for 6 min"
