"""An audit finds nothing wrong with what the product itself did, writes nothing, and needs to read only."""

from collections import Counter

import pytest
from django.db import connection

from inbox import registry
from inbox.engine.prune import old_jobs, prune
from inbox.engine.sweeps.turn import SweepKind
from inbox.models import InboxJob
from tests.support.audit.stories import found, tell_stories, tell_story
from tests.support.clinical import write_decision
from tests.support.drain import drain_all, swept
from tests.support.rows import esmd, send, tracking_id
from verification.audit.run import audit

pytestmark = pytest.mark.django_db


@pytest.fixture
def stories():
    return tell_stories()


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_healthy_story_is_without_findings(stories):
    counts = Counter(InboxJob.objects.values_list("status", flat=True))
    assert counts["DONE"] >= 5
    assert counts["WAITING"] == counts["DEAD"] == 1
    assert found() == {}


def test_ranges_of_any_size_find_the_same(stories):
    assert found(size=1) == found(size=2) == {}


def test_a_role_that_may_only_read_sees_the_same_in_a_session_that_can_not_write(stories):
    execute(
        "CREATE ROLE audit_reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO audit_reader;"
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO audit_reader"
    )
    execute("SET LOCAL ROLE audit_reader; SET LOCAL transaction_read_only = on")
    assert found() == {}


def test_what_may_not_be_read_is_a_finding(stories):
    execute("CREATE ROLE audit_reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO audit_reader")
    execute("REVOKE SELECT ON send_integration FROM audit_reader; SET LOCAL ROLE audit_reader")
    texts = found()
    assert set(texts) == {
        "not looked at: letters twice or missing",
        "not looked at: rows of send_integration of no decision",
        "not looked at: identities behind their tables",
    }
    assert "this login lacks a right (SQLSTATE 42501)" in texts["not looked at: letters twice or missing"][0]


def test_it_says_how_far_it_is(stories):
    said = []
    audit(since=None, say=said.append, size=2)
    jobs = InboxJob.objects.count()
    assert f"statuses that contradict their times: {jobs:,} rows read" in said
    assert "statuses that contradict their times: 2 rows read" in said


def test_times_that_python_has_none_for_are_no_damage(stories):
    for time in ("-infinity", "4000-01-01 BC", "20000-01-01", "infinity"):
        send(esmd(tracking_id(9)), tracking_id(9), created_at=time)
        write_decision(1, created_at=time, updated_at=time)
    drain_all()
    swept(registry.source("integration"), SweepKind.RECONCILE)
    drain_all()
    assert found() == {}


def test_errors_of_any_shape_stop_nothing(stories):
    for errors in ("{}", "1", '[1, null, [], {"attempt": "x"}, {"attempt": 1e30, "kind": {}}]'):
        execute(f"UPDATE integration_inbox SET error_kind = 'Test', errors = '{errors}' WHERE status = 'DONE'")
        assert found() == {}


def test_after_a_prune_nothing_is_missing(stories):
    """Neither the rows whose jobs are gone, nor the jobs of rounds that are long over."""
    execute("ALTER TABLE integration_inbox DISABLE TRIGGER inbox_guard_moves")
    execute(
        "UPDATE integration_inbox SET status = 'DONE', started_at = now(), finished_at = now() - interval '10 days'"
        " WHERE status IN ('DONE', 'NEW')"
    )
    execute("UPDATE integration_inbox SET source_created_at = source_created_at - interval '10 days'")
    execute("UPDATE integration_send_serviceops SET created_at = created_at - interval '10 days'")
    execute("UPDATE service_ops_send_serviceops SET updated_at = updated_at - interval '10 days'")
    execute("ALTER TABLE packet_decision DISABLE TRIGGER USER")
    execute("UPDATE packet_decision SET created_at = created_at - interval '10 days'")
    for batch in old_jobs(older_than_s=5 * 86400):
        prune(batch, older_than_s=5 * 86400, who="ada")
    assert not InboxJob.objects.filter(status="DONE").exists()
    assert found() == {}
    tell_story(7)
    assert found() == {}
