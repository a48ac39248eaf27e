"""While a service is not there, its source pauses: no attempt is spent, one process tries one job now and then."""

import json
import time
from functools import partial

import pytest
from django.core.management import call_command
from django.db import connection

from inbox import registry
from inbox.engine.has_work import has_work
from inbox.engine.pause import claim_probe, pause, paused_for_s
from inbox.engine.reclaim import reclaim_stale
from inbox.models import InboxJob, SourcePause
from inbox.monitoring.diagnosis import find_stalls
from inbox.monitoring.open_jobs import list_open_jobs
from inbox.monitoring.snapshot import take_snapshot
from inbox.monitoring.text_report import page
from inbox.outcomes import dead, done, ignored, not_there, retry
from inbox.worker.presence import Presence
from tests.support.outbound import Service, outbound_source, outbound_worker, running, statuses
from tests.support.probe import in_threads, many_jobs, wait_until
from tests.support.rows import seconds_ago

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED = not_there("connection refused")


def paused(**fields):
    """A pause that began a minute ago and is not to be tried soon."""
    defaults = {"source": "test", "reason": "connection refused", "paused_since": seconds_ago(60)}
    return SourcePause.objects.create(**defaults | {"next_try_at": seconds_ago(-50)} | fields)


def make_the_try_due():
    assert SourcePause.objects.update(next_try_at=seconds_ago(0))


def untouched(count):
    """So many jobs are as if they had never been claimed."""
    rows = InboxJob.objects.values_list("status", "attempt_count", "errors", "error_kind", "note")
    return list(rows) == [("NEW", 0, [], None, None)] * count


class Refusing(Service):
    """A service that is down until the test brings it up."""

    def __init__(self, refusals=None):
        super().__init__(is_open=True)
        self.refusals = refusals

    def call(self, request):
        super().call(request)
        if self.refusals is None or self.calls.total() <= self.refusals:
            return REFUSED
        return done()


# How a pause begins and ends.


def test_a_service_that_is_not_there_pauses_its_source_and_costs_no_attempt():
    many_jobs(30)
    service = Refusing()
    counts = outbound_worker(outbound_source(service)).drain()
    assert untouched(30)
    row = SourcePause.objects.get()
    assert (row.source, row.reason, row.tries) == ("test", "connection refused", 0)
    assert service.calls.total() <= 8, "one claim and no more"
    assert counts.given_back == 8
    assert counts.done == counts.failed == 0


def test_what_waits_for_its_turn_is_given_back_without_a_call():
    many_jobs(8)
    service = Service({1: REFUSED})
    with running(outbound_worker(outbound_source(service)), service=service):
        service.wait_for(4)
        service.let_go(1)
        wait_until(lambda: statuses() == {"PROCESSING": 3, "NEW": 5})
        assert set(service.calls) == {1, 2, 3, 4}


def test_prepare_may_say_that_the_service_is_not_there():
    many_jobs(3)
    service = Service(is_open=True)
    outbound_worker(outbound_source(service, lambda jobs: [REFUSED for _ in jobs])).drain()
    assert untouched(3)
    assert SourcePause.objects.exists()
    assert not service.calls


def test_a_paused_source_is_not_claimed_by_any_process():
    many_jobs(3)
    paused()
    service = Service(is_open=True)
    assert not outbound_worker(outbound_source(service)).drain()
    assert untouched(3)
    assert not service.calls


def test_a_pause_of_one_source_is_none_of_another():
    many_jobs(2)
    paused(source="other")
    outbound_worker(outbound_source(Service(is_open=True))).drain()
    assert statuses() == {"DONE": 2}
    assert SourcePause.objects.count() == 1


# One try now and then.


def test_a_try_is_one_job_and_any_answer_ends_the_pause():
    many_jobs(10)
    paused(next_try_at=seconds_ago(1))
    service = Service()
    with running(outbound_worker(outbound_source(service)), service=service):
        assert service.wait_for(1) == [1]
        assert statuses() == {"PROCESSING": 1, "NEW": 9}
        service.let_go(1)
        service.wait_for(4)
        assert not SourcePause.objects.exists()
    assert statuses()["DONE"] >= 5


@pytest.mark.parametrize("answer", [retry("busy", "Http503"), dead("no"), ignored("known")])
def test_any_answer_is_one(answer):
    many_jobs(1)
    paused(next_try_at=seconds_ago(1))
    outbound_worker(outbound_source(Service({1: answer}, is_open=True))).once()
    assert not SourcePause.objects.exists()


def test_of_many_processes_one_gets_the_turn():
    many_jobs(20)
    paused(next_try_at=seconds_ago(1))
    source = outbound_source(Service())
    claims = in_threads(*[partial(claim_probe, source, worker_id=f"worker {number}") for number in range(8)])
    assert [len(claimed) for claimed in claims if claimed] == [1]
    assert statuses() == {"PROCESSING": 1, "NEW": 19}


def test_nobody_else_tries_while_a_try_hangs_however_long():
    many_jobs(2)
    paused(next_try_at=seconds_ago(1))
    source = outbound_source(Service())
    first = claim_probe(source, worker_id="worker A")
    assert len(first) == 1
    make_the_try_due()
    assert claim_probe(source, worker_id="worker B") is None
    assert not has_work([source])


def test_the_turn_of_a_process_that_died_is_free_once_its_job_is_reclaimed():
    many_jobs(2)
    paused(next_try_at=seconds_ago(1))
    source = outbound_source(Service())
    assert claim_probe(source, worker_id="worker A")
    make_the_try_due()
    InboxJob.objects.filter(status="PROCESSING").update(locked_at=seconds_ago(500))
    reclaim_stale(stale_after_s=120, max_attempts=5, limit=10)
    assert len(claim_probe(source, worker_id="worker B")) == 1


def test_a_turn_without_a_job_stays_free():
    paused(next_try_at=seconds_ago(1))
    source = outbound_source(Service())
    assert not claim_probe(source, worker_id="worker A")
    many_jobs(1)
    assert len(claim_probe(source, worker_id="worker A")) == 1


def test_a_try_that_needs_no_call_leaves_the_turn_free():
    many_jobs(3)
    paused(next_try_at=seconds_ago(1))
    service = Service(is_open=True)
    prepare = lambda jobs: [ignored("old") if held.message_id < 3 else held.message_id for held in jobs]  # noqa: E731
    outbound_worker(outbound_source(service, prepare)).drain()
    assert statuses() == {"DONE": 3}
    assert not SourcePause.objects.exists()


def test_failed_tries_come_less_and_less_often_and_at_least_once_a_minute():
    many_jobs(1)
    source = outbound_source(Refusing())
    outbound_worker(source).once()
    pauses_s = [planned_s()]
    for _ in range(8):
        make_the_try_due()
        outbound_worker(source).once()
        pauses_s.append(planned_s())
    assert untouched(1)
    assert SourcePause.objects.get().tries == 8
    expected = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert all(0.8 * most <= pause_s <= most for pause_s, most in zip(pauses_s, expected, strict=True)), pauses_s


def planned_s():
    row = SourcePause.objects.get()
    return (row.next_try_at - row.updated_at).total_seconds()


def test_calls_that_fail_together_are_one_pause():
    source = outbound_source(Service())
    for claimed in range(5):
        pause(source, f"reason {claimed}", None)
    row = SourcePause.objects.get()
    assert (row.reason, row.tries) == ("reason 0", 0)


# Workers.


def test_has_work_is_no_while_a_source_pauses_and_yes_when_a_try_is_due():
    source = outbound_source(Service())
    row = paused(next_try_at=seconds_ago(1))
    assert not has_work([source]), "nothing is due"
    many_jobs(1)
    assert has_work([source])
    SourcePause.objects.update(next_try_at=seconds_ago(-50))
    assert not has_work([source])
    assert 40 < paused_for_s(source) <= 50
    # The clock has gone back: no try is put off for so long.
    SourcePause.objects.update(next_try_at=seconds_ago(-100))
    assert has_work([source])
    assert paused_for_s(source) == 0
    row.delete()
    assert has_work([source])


def test_a_worker_that_seldom_polls_wakes_up_for_the_try_and_resumes_by_itself():
    many_jobs(20)
    service = Refusing(refusals=6)
    worker = outbound_worker(outbound_source(service), poll_interval_s=600)
    with running(worker):
        wait_until(lambda: statuses() == {"DONE": 20})
    assert not SourcePause.objects.exists()
    assert set(InboxJob.objects.values_list("attempt_count", flat=True)) == {1}


def test_a_worker_that_seldom_polls_is_notified_when_another_one_ends_the_pause():
    many_jobs(40)
    first, second = Service(), Service(is_open=True)
    # After so many failed tries, the next one would come too late.
    paused(next_try_at=seconds_ago(1), tries=9)
    listening = outbound_worker(
        outbound_source(second),
        poll_interval_s=600,
        worker_id="worker B",
        register=partial(Presence, "worker B", "test"),
    )
    trying = outbound_worker(outbound_source(first), poll_interval_s=600)
    with running(trying, service=first):
        first.wait_for(1)
        with running(listening):
            wait_until(lambda: listening.registration.presence is not None)
            wait_until(lambda: listening.schedule.is_idle)
            first.let_go(1)
            wait_until(lambda: second.calls)


def test_an_idle_worker_does_not_spin_while_a_source_pauses():
    many_jobs(3)
    paused()
    worker = outbound_worker(outbound_source(Service()), poll_interval_s=0.2)
    ticks = []
    tick = worker.tick
    worker.tick = lambda: ticks.append(1) or tick()
    with running(worker):
        time.sleep(1)
    assert 2 <= len(ticks) <= 10


# How a pause is shown.


@pytest.fixture
def known(monkeypatch):
    """The source `test` is registered."""
    source = outbound_source(Service(is_open=True))
    monkeypatch.setitem(registry._sources, "test", source)
    return source


def test_what_stays_says_why(known):
    many_jobs(3)
    paused()
    [group] = list_open_jobs()
    assert (group.count, group.is_paused, group.why) == (3, True, "test is paused: connection refused")


def test_the_status_says_since_when_why_and_when_next(known, capsys):
    many_jobs(3)
    paused(next_try_at=seconds_ago(-30), tries=4)
    seen = take_snapshot()
    text = page(seen, find_stalls(seen))
    assert "PAUSED since" in text
    assert "next try in 30 s" in text or "next try in 29 s" in text
    assert "connection refused" in text
    assert max(map(len, text.splitlines())) <= 80
    call_command("inbox_status", "--json")
    [told] = [source for source in json.loads(capsys.readouterr().out)["sources"] if source["source"] == "test"]
    pause = told["pause"]
    assert (pause["reason"], pause["tries"]) == ("connection refused", 4)
    assert 59 <= pause["for_s"] <= 70
    assert 20 <= pause["next_try_in_s"] <= 30


def test_check_mentions_a_pause_and_calls_a_long_one_a_stall(known, capsys, run_as_check):
    many_jobs(3)
    paused(next_try_at=seconds_ago(-30))
    assert run_as_check("--stalled-after", "100") == 0
    assert "; test has been paused since " in capsys.readouterr().out
    assert run_as_check("--stalled-after", "50") == 1
    out = capsys.readouterr().out
    assert "stalled" in out
    assert "test has been paused since" in out
    assert "connection refused; next try in" in out


def test_a_pause_without_waiting_jobs_is_no_stall(known):
    paused()
    assert find_stalls(take_snapshot(), stalled_after_s=1) == []


@pytest.fixture
def run_as_check(monkeypatch):
    """Runs inbox_status --check; returns its exit code. A worker of the source is registered."""
    from inbox.models import InboxWorker

    InboxWorker.objects.create(
        instance_id="00000000-0000-4000-8000-000000000001", worker_id="w", command="none", host="h", pid=1
    )

    def run(*options):
        try:
            call_command("inbox_status", "--check", *options)
        except SystemExit as end:
            return end.code
        return 0

    return run


def test_the_table_of_pauses_is_shown_in_the_admin(admin_client):
    paused(reason="<b>")
    assert b"&lt;b&gt;" in admin_client.get("/admin/inbox/sourcepause/").content


def test_a_pause_is_of_the_databases_clock():
    paused(next_try_at=seconds_ago(-50))
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM next_try_at - now()) FROM inbox_pause")
        [(left_s,)] = cursor.fetchall()
    assert abs(float(left_s) - paused_for_s(outbound_source(Service()))) < 5
