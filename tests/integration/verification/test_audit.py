"""An audit finds nothing wrong with what the product itself did, writes nothing, and needs to read only."""

from collections import Counter

import pytest
from django.db import connection

from inbox.models import InboxJob
from tests.support.audited import found, tell_stories
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
    assert "permission denied for table send_integration" in texts["not looked at: letters twice or missing"][0]


def test_it_says_how_far_it_is(stories):
    said = []
    audit(since=None, say=said.append, size=2)
    jobs = InboxJob.objects.count()
    assert f"statuses that contradict their times: {jobs:,} rows read" in said
    assert "statuses that contradict their times: 2 rows read" in said
