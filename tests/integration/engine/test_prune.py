"""Jobs that ended long ago are pruned, and their messages are never ingested again."""

import json
import threading
from uuid import uuid4

import pytest
from django.db import connection, transaction

from inbox import registry
from inbox.engine.has_work import has_work
from inbox.engine.ingest import ingest, ingest_named
from inbox.engine.prune import Batch, count_late, count_prunable, old_jobs, prune
from inbox.engine.sweeps.turn import SweepKind
from inbox.models import InboxAudit, InboxJob, PollWatermark
from inbox.monitoring.snapshot import take_snapshot
from packets.models import Packet
from tests.support import clinical
from tests.support.drain import drain, drain_all, swept
from tests.support.probe import in_threads, lock_waiters, wait_until
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

DAY_S = 86400
AGE = {"older_than_s": 7 * DAY_S}


def integration():
    return registry.source("integration")


def days_ago(days):
    return seconds_ago(days * DAY_S)


def old_messages(count, days=10, **columns):
    return [send(esmd(), tracking_id(n), created_at=days_ago(days - n / 1000), **columns) for n in range(count)]


def make_old(days=10, **which):
    """As if the jobs had ended so long ago."""
    InboxJob.objects.filter(**which).update(finished_at=days_ago(days), created_at=days_ago(days))


def settled(count, days=10):
    """Messages of long ago that were worked on then."""
    made = old_messages(count, days)
    assert drain().done == count
    make_old(days)
    return made


def pruned(batch_size=500, **options):
    return sum(
        prune(batch, **AGE | options, who="a test").total()
        for batch in old_jobs(**AGE | options, batch_size=batch_size)
    )


def mark():
    return PollWatermark.objects.get(source="integration")


def jobs():
    return sorted(InboxJob.objects.filter(source="integration").values_list("message_id", flat=True))


def execute(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else None


def nothing_is_new():
    """No sweep of any kind finds a row to ingest."""
    soon = days_ago(-0.002)
    PollWatermark.objects.update(next_lookback_at=soon, next_reconcile_at=soon)
    assert not has_work([integration()])
    assert ingest(integration()).count == 0
    assert [swept(integration(), kind) for kind in SweepKind] == [0, 0]
    [state] = [state for state in take_snapshot().sources if state.source == "integration"]
    assert state.rows_to_take_in == 0


def test_pruned_messages_are_ingested_again_by_no_sweep_and_no_replay(run_command):
    made = settled(6)
    before = list(Packet.objects.order_by("pk").values())
    code, out, err = run_command("prune_inbox", "--older-than", "7", "--batch-size", "2")
    assert (code, err) == (0, "")
    assert out.startswith("6 pruned: 6 DONE\nintegration: rows before ")
    assert jobs() == []
    nothing_is_new()
    # Integration sends its old messages again: rows removed and inserted once more, un-deleted, touched.
    execute("CREATE TEMPORARY TABLE replayed AS SELECT * FROM integration_send_serviceops")
    execute("DELETE FROM integration_send_serviceops")
    execute("INSERT INTO integration_send_serviceops SELECT * FROM replayed")
    execute("UPDATE integration_send_serviceops SET is_deleted = true")
    execute("UPDATE integration_send_serviceops SET is_deleted = false")
    assert ingest_named(integration(), integration().reads, made) == 0
    nothing_is_new()
    assert run_command("run_inbox_worker", "--drain")[0] == 0
    assert jobs() == []
    assert list(Packet.objects.order_by("pk").values()) == before
    assert mark().pruned_count == 6


def test_pruned_before_moves_only_just_past_what_went_and_new_rows_are_still_taken():
    made = settled(3, days=20)
    young = send(esmd(), tracking_id(50), created_at=days_ago(8))
    drain()
    assert pruned() == 3
    [(newest,)] = execute("SELECT created_at FROM integration_send_serviceops WHERE message_id = %s", made[-1])
    assert (mark().pruned_before - newest).total_seconds() == pytest.approx(1e-6)
    assert jobs() == [young]
    late = send(esmd(), tracking_id(51), created_at=days_ago(15))
    assert swept(integration(), SweepKind.RECONCILE) == 1
    assert jobs() == [young, late]


def test_a_row_that_waits_to_be_ingested_holds_pruned_before_back():
    first = old_messages(1, days=30)
    drain()
    settled_later = [send(esmd(), tracking_id(9), created_at=days_ago(20))]
    drain()
    make_old()
    waits = send(esmd(), tracking_id(10), created_at=days_ago(25))
    assert pruned() == 1
    assert jobs() == settled_later
    assert mark().pruned_before < days_ago(25)
    assert swept(integration(), SweepKind.RECONCILE) == 1
    assert sorted([waits, *settled_later]) == jobs()
    assert first[0] not in jobs()
    drain()
    make_old()
    assert pruned() == 2
    nothing_is_new()


def test_open_jobs_stay_and_are_worked_on_though_their_rows_are_below_pruned_before():
    waiting, failed, *_ = made = settled(4)
    execute("ALTER TABLE integration_inbox DISABLE TRIGGER inbox_guard_moves")
    InboxJob.objects.filter(message_id=waiting).update(status="WAITING", finished_at=None)
    InboxJob.objects.filter(message_id=failed).update(status="FAILED", finished_at=None)
    execute("ALTER TABLE integration_inbox ENABLE TRIGGER inbox_guard_moves")
    assert pruned() == 2
    assert mark().pruned_before > days_ago(10)
    assert jobs() == made[:2]
    assert drain().done == 2
    make_old()
    assert pruned() == 2
    nothing_is_new()


@pytest.mark.parametrize(("kind", "stays"), [("WaitLimit", True), ("Contradiction", True), ("BadMessage", False)])
def test_a_dead_job_goes_with_an_audit_entry_unless_a_message_may_wake_it(kind, stays):
    made = job(source="generated_payload", status="DEAD", error_kind=kind, created_at=days_ago(9))
    InboxJob.objects.update(finished_at=days_ago(9))
    assert pruned() == (not stays)
    assert InboxAudit.objects.filter(verb="prune", object=f"job:{made.pk}").count() == (not stays)
    assert pruned(with_wakeable=True) == stays
    entry = InboxAudit.objects.get()
    assert (entry.who, entry.before["status"], entry.after) == ("a test", "DEAD", None)


def test_of_sources_without_a_watermark_only_the_job_goes(run_command):
    message = clinical.write_decision(1)
    outbound = job(source="json_generator", message_type="generate_payload", status="DONE", message_id=77)
    send(esmd(), tracking_id(1))
    drain_all()
    make_old()
    assert InboxJob.objects.get(source="clinical_decision").status == "DONE"
    pruned()
    assert not InboxJob.objects.filter(source__in=["clinical_decision", "json_generator"], status="DONE").exists()
    drain_all()
    assert not InboxJob.objects.filter(source="clinical_decision").exists()
    assert not InboxJob.objects.filter(pk=outbound.pk).exists()
    clinical.rewrite(message, clinical_ops_decision_json=json.dumps(clinical.decision("N")))
    drain_all()
    assert InboxJob.objects.get(source="clinical_decision").revision == 2


@pytest.mark.parametrize(
    ("time", "goes"), [("-infinity", True), ("4000-01-01 BC", True), ("infinity", False), ("2999-01-01+00", False)]
)
def test_the_job_of_a_row_with_a_strange_time_is_pruned_only_where_it_is_not_made_again(time, goes):
    strange = send(esmd(), tracking_id(90), created_at=time)
    settled_before = old_messages(1)
    ingest(integration())
    for kind in SweepKind:
        swept(integration(), kind)
    drain()
    make_old()
    assert jobs() == sorted([strange, *settled_before])
    pruned()
    pruned()
    assert jobs() == ([] if goes else [strange])
    nothing_is_new()


def test_what_is_younger_than_the_lookback_stays_whatever_is_asked(settings):
    settings.INBOX_LOOKBACK = 20 * DAY_S
    settled(2, days=10)
    assert pruned() == 0
    assert mark().pruned_before is None


def test_a_young_job_of_an_old_row_stays():
    old_messages(2)
    drain()
    assert pruned() == 0


def test_the_job_of_a_source_that_is_not_known_here_stays():
    job(source="of another version", status="DONE", created_at=days_ago(9))
    InboxJob.objects.update(finished_at=days_ago(9))
    assert pruned() == 0
    assert prune(Batch("of another version", [1]), **AGE, who="a test").total() == 0


def test_a_job_that_somebody_holds_is_left_alone():
    settled(3)
    held = InboxJob.objects.first()
    with transaction.atomic():
        InboxJob.objects.select_for_update().get(pk=held.pk)
        assert in_threads(pruned) == [2]
    assert InboxJob.objects.get() == held
    assert pruned() == 1
    nothing_is_new()


def test_many_at_once_remove_each_job_once():
    settled(60)
    assert sum(in_threads(*[lambda: pruned(batch_size=3)] * 4)) == 60
    assert jobs() == []
    assert mark().pruned_count == 60
    nothing_is_new()


def test_an_ingest_that_waits_for_a_prune_does_not_take_what_that_removes():
    """It looks after it has the watermark's lock, so it sees how far pruned_before has moved."""
    settled(2)
    [batch] = old_jobs(**AGE)
    named = []
    with transaction.atomic():
        assert prune(batch, **AGE, who="a test").total() == 2
        reads = integration().reads
        ids = list(range(-5, 5)) + [row for (row,) in execute("SELECT message_id FROM integration_send_serviceops")]
        other = threading.Thread(
            target=lambda: (named.append(ingest_named(integration(), reads, ids)), connection.close())
        )
        other.start()
        wait_until(lock_waiters)
    other.join()
    assert named == [0]


def test_a_prune_that_is_killed_in_the_middle_leaves_nothing_half_done(start_command, run_command):
    settled(40)
    last = InboxJob.objects.order_by("-pk").first()
    execute(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN OLD; END $$;"
        f"CREATE TRIGGER hold BEFORE DELETE ON integration_inbox FOR EACH ROW WHEN (OLD.inbox_id = {last.pk})"
        " EXECUTE FUNCTION hold()"
    )
    try:
        execute("SELECT pg_advisory_lock(77)")
        command = start_command("prune_inbox", "--older-than", "7", "--batch-size", "10")
        wait_until(lock_waiters)
        command.kill()
        command.wait()
        execute("SELECT pg_advisory_unlock(77)")
        wait_until(lambda: not lock_waiters())
        assert len(jobs()) == 10
        nothing_is_new()
    finally:
        execute("DROP FUNCTION hold CASCADE")
    code, out, _ = run_command("prune_inbox", "--older-than", "7", "--json")
    assert (code, json.loads(out)["pruned"]) == (0, 10)
    assert mark().pruned_count == 40
    nothing_is_new()


def test_a_row_that_comes_too_late_is_counted_and_never_ingested(run_command):
    made = settled(3)
    pruned()
    assert count_late(integration()) == 0
    send(esmd(), uuid4(), created_at=days_ago(11))
    nothing_is_new()
    assert count_late(integration()) == 1
    code, out, _ = run_command("prune_inbox", "--older-than", "7", "--count-late")
    assert code == 0
    assert "at least 1 came later than that" in out
    assert made


def test_a_dry_run_changes_nothing(run_command):
    settled(3)
    code, out, _ = run_command("prune_inbox", "--older-than", "7", "--dry-run", "--json")
    assert code == 0
    assert json.loads(out)["would_be_pruned"] == 3
    assert json.loads(out)["by_status"] == {"DONE": 3}
    assert len(jobs()) == 3
    assert mark().pruned_before is None
    assert count_prunable(older_than_s=11 * DAY_S).total() == 0


@pytest.mark.parametrize("words", [[], ["--older-than", "0"], ["--older-than", "-1"], ["--older-than", "soon"]])
def test_a_wrong_age_is_an_error_of_usage(run_command, words):
    code, _, err = run_command("prune_inbox", *words)
    assert code == 2
    assert "--older-than" in err
