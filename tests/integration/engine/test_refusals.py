"""Each SQLSTATE of the table, raised by the server inside a handler: what is done with the jobs in hand."""

import pytest
from django.db import Error, connection

from inbox.db.sqlstates import KNOWN, Meaning, known
from inbox.engine.hold_up import HoldUps
from inbox.engine.work import work
from inbox.models import InboxJob
from tests.support.log_lines import lines
from tests.support.probe import claim_all, leave_witnesses, many_jobs, probe_source, witnesses
from tests.support.rows import seconds_ago

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
    lost = ("08006", "25006", "57P01", "57P02", "57P03", "53300")
    assert all(known(code).meaning is Meaning.CONNECTION for code in lost)
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
    for sqlstate in by_meaning(Meaning.CONNECTION):
        new_jobs(3)
        with pytest.raises(Error):
            work(claim_all(probe_source(raises(sqlstate))))
        assert states() == [("PROCESSING", 1, False)] * 3


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
