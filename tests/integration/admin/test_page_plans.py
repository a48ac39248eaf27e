"""The reads of the pages of jobs, by EXPLAIN ANALYZE, with fresh, stale and wrong statistics; no clock decides.

A page that reads the whole table, or all open jobs, is right and quick in every small test, and takes seconds with
millions.
"""

from collections import Counter
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inbox.admin_pages import change_list
from inbox.admin_pages.job_list import banner, pick
from inbox.admin_pages.seen import SeenJobs
from inbox.db import bounded_count
from inbox.models import InboxAudit, InboxJob, InboxWorker
from inbox.monitoring import ended_jobs, history, open_jobs, snapshot
from packets.models import Packet
from tests.support.rows import seconds_ago, tracking_id

pytestmark = pytest.mark.django_db

JOBS = reverse("admin:inbox_inboxjob_changelist")
AUTOVACUUM_OFF = "ALTER TABLE integration_inbox SET (autovacuum_enabled = off)"
ANALYZE = "ANALYZE integration_inbox"
FILL = """
INSERT INTO integration_inbox (source, message_id, message_type, decision_tracking_id, status, error_kind, last_error,
                               next_attempt_at, finished_at, locked_by, locked_at, lease_id, created_at)
SELECT CASE n %% 2 WHEN 0 THEN 'test' ELSE 'integration' END,
       (SELECT coalesce(max(message_id), 0) FROM integration_inbox) + n,
       CASE n %% 3 WHEN 0 THEN 'intake' ELSE 'probe' END, gen_random_uuid(), status,
       CASE WHEN status IN ('DEAD', 'FAILED') THEN 'Odd' END,
       CASE WHEN status IN ('DEAD', 'FAILED') THEN 'odd ' || n END,
       now() - interval '2 hours', CASE WHEN status IN ('DEAD', 'DONE') THEN now() - interval '1 hour' END,
       CASE status WHEN 'PROCESSING' THEN 'somebody' END, CASE status WHEN 'PROCESSING' THEN now() END,
       CASE status WHEN 'PROCESSING' THEN gen_random_uuid() END, now() - interval '2 hours'
  FROM generate_series(1, %(count)s) AS n, LATERAL (SELECT %(statuses)s::text[] AS all_of) AS of,
       LATERAL (SELECT all_of[1 + n %% cardinality(all_of)] AS status) AS its
"""
ALL = ["DONE", "DONE", "DONE", "NEW", "NEW", "DEAD", "DEAD", "FAILED", "WAITING", "PROCESSING"]
COUNT = 6_000
# The rows that one statement may read: all parts of a list of open jobs.
MOST = 2_000
PARTS = {
    (bounded_count, "LIMIT"): 100,
    (change_list, "NEWEST_ROWS"): 300,
    (pick, "TROUBLED_JOBS"): 300,
    (pick, "OPEN_JOBS"): 200,
    (snapshot, "OPEN_READ"): 200,
    (snapshot, "OPEN_COUNTED"): 300,
    (ended_jobs, "DEAD"): 200,
    (open_jobs, "NOTES"): 200,
    (history, "TIMED"): 200,
}

QUERIES = [
    {},
    {"p": 2},
    {"o": "6"},
    *({"status__exact": status} for status in ("NEW", "PROCESSING", "FAILED", "WAITING", "DEAD", "DONE")),
    *({"source": source} for source in ("test", "integration", "of no job")),
    *({"message_type": name} for name in ("intake", "of no job")),
    *({"error_kind": kind} for kind in ("Odd", "of no job")),
    {"locked_by": "somebody"},
    *({"open_for": age_s} for age_s in ("3600", "604800")),
    {"status__exact": "NEW", "source": "test"},
    {"status__exact": "NEW", "message_type": "of no job"},
    {"status__exact": "NEW", "open_for": "604800"},
    {"status__exact": "FAILED", "open_for": "3600"},
    {"status__exact": "DEAD", "source": "test", "message_type": "of no job"},
    {"status__exact": "DEAD", "error_kind": "Odd"},
    {"status__exact": "DONE", "message_type": "of no job"},
    {"source": "test", "open_for": "3600"},
    {"q": "7"},
    {"q": str(tracking_id(1))},
    {"q": "SVC-2031-000001"},
]
# Of many: an action, and the filter.
ASKED = [
    ("requeue", {}),
    ("mark-dead", {}),
    ("requeue", {"status__exact": "DEAD"}),
    ("requeue", {"source": "test"}),
    ("mark-dead", {"status__exact": "NEW"}),
    ("release-lease", {"locked_by": "somebody"}),
    ("requeue", {"status__exact": "DEAD", "message_type": "of no job"}),
]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    for (module, name), value in PARTS.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr("config.templatetags.front.NEWEST", 300)
    # Rows that other tests rolled back are still in the file, and the planner counts them.
    run(f"TRUNCATE integration_inbox CASCADE; {AUTOVACUUM_OFF}")
    yield
    banner.forget()


def run(sql, **values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)


def fill(statuses=ALL, count=COUNT):
    run(FILL, statuses=statuses, count=count)


def fill_all():
    """Jobs in trouble are not among the newest, so a scan backwards by key goes far."""
    fill()
    fill(["DONE", "NEW"], count=MOST + 1000)
    # A worker lives, and work is due for hours: nothing finishes, which is asked for.
    command = "run_inbox_worker"
    InboxWorker.objects.create(instance_id=uuid4(), worker_id="alive", command=command, host="h", pid=1)


def fresh():
    fill_all()
    run(ANALYZE)


def made_while_it_was_new():
    run(ANALYZE)
    fill_all()


def made_when_all_was_done():
    fill(["DONE"], count=2000)
    run(ANALYZE)
    fill_all()


def made_when_nearly_all_was_dead():
    fill(["DEAD"], count=2000)
    run(ANALYZE)
    fill_all()


STATISTICS = [fresh, made_while_it_was_new, made_when_all_was_done, made_when_nearly_all_was_dead]


def pages(client):
    """The requests that are measured, each with how to make it."""
    for query in QUERIES:
        yield urlencode(query) or "the list", lambda query=query: client.get(JOBS, query)
    for action, query in ASKED:
        data = {"action": action, "select_across": "1", "index": "0", "_selected_action": "1"}
        address = f"{JOBS}?{urlencode(query)}"
        yield f"{action} {address}", lambda address=address, data=data: client.post(address, data)
    key = InboxJob.objects.filter(status="DEAD").order_by("pk").values_list("pk", flat=True)[10]
    yield "a job", lambda: client.get(reverse("admin:inbox_inboxjob_change", args=[key]))
    yield "the front page", lambda: client.get("/admin/")


@pytest.mark.parametrize("make_statistics", STATISTICS, ids=lambda make: make.__name__)
def test_no_page_reads_more_than_a_bounded_part_of_the_table(client, make_statistics):
    make_statistics()
    for page, ask in pages(client):
        banner.forget()
        for sql, plan in plans_of(ask):
            scans = [node for node in nodes(plan) if node.get("Relation Name") == "integration_inbox"]
            assert not [node for node in scans if node["Node Type"] == "Seq Scan"], (page, sql)
            assert sum(map(rows_read, scans)) <= MOST, (page, sql)


@pytest.mark.parametrize("make_statistics", STATISTICS, ids=lambda make: make.__name__)
@pytest.mark.parametrize(("action", "query"), [ASKED[1], ASKED[2], ASKED[5]], ids=lambda asked: str(asked))
def test_a_confirmed_action_reads_its_jobs_and_no_others(client, make_statistics, action, query):
    make_statistics()
    address = f"{JOBS}?{urlencode(query)}"
    data = {"action": action, "select_across": "1", "_selected_action": "1"}
    shown = client.post(address, data)
    assert shown.context["count"] == bounded_count.LIMIT
    seen = SeenJobs.from_text(shown.context["seen"], f"{User.objects.get().pk} {action} {urlencode(query)}")
    # One has gone on, so that it is looked at once more, to say why it was left alone.
    InboxJob.objects.filter(pk=min(seen.marks)).update(updated_at=seconds_ago(0), lease_id=uuid4())
    confirmed = data | {"seen": shown.context["seen"], "reason": "x"}
    plans = plans_of(lambda: client.post(address, confirmed), 302)
    assert plans
    for sql, plan in plans:
        scans = [node for node in nodes(plan) if node.get("Relation Name") == "integration_inbox"]
        assert sum(map(rows_read, scans)) <= bounded_count.LIMIT, sql


def plans_of(ask, status=200):
    """Every SELECT on the table of jobs with its plan, as it was carried out."""
    found = []

    def explain(execute, sql, params, many, context):
        if "integration_inbox" in sql and sql.lstrip("( \n").startswith(("SELECT", "WITH")):
            # Django's cursor would come here again.
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params)
                ((plan,),) = cursor.fetchone()
                found.append((sql, plan["Plan"]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        assert ask().status_code == status
    return found


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def rows_read(node):
    removed = sum(node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck"))
    return (node["Actual Rows"] + removed) * node["Actual Loops"]


def test_a_page_makes_as_many_queries_with_many_jobs_as_with_some(client):
    fill(count=2500)
    some = queries_by_page(client)
    fill()
    assert queries_by_page(client) == some
    assert max(some.values()) < 60


def queries_by_page(client):
    counts = Counter()
    for page, ask in pages(client):
        banner.forget()
        with CaptureQueriesContext(connection) as queries:
            assert ask().status_code == 200
        counts[page] = len(queries)
    return counts


def test_an_order_that_is_not_offered_is_not_taken(client):
    audited = [InboxAudit.objects.create(who=who, verb="v", reason="r", object="job:1").pk for who in "bca"]
    for order in ("0", "1", "-2", "3"):
        shown = client.get(reverse("admin:inbox_inboxaudit_changelist"), {"o": order}).context["cl"].result_list
        assert [made.pk for made in shown] == audited[::-1]


@pytest.mark.parametrize("name", ["last_error__contains", "status__in", "created_at__lt", "o__x"])
def test_a_lookup_that_no_filter_offers_is_not_made(client, name):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(JOBS, {name: "x"}).status_code == 302
    assert not [query for query in queries if "LIKE" in query["sql"]]


def test_other_lists_look_through_their_newest_rows_and_say_so(client):
    for number in range(1200):
        InboxAudit.objects.create(
            who="ada" if number == 0 else "bob", verb="requeue", reason="r", object=f"job:{number}"
        )
    address = reverse("admin:inbox_inboxaudit_changelist")
    shown = client.get(address, {"q": "ada"})
    assert shown.context["cl"].result_count == 0
    assert "Searched only the newest 300 rows" in shown.content.decode()
    # This has an index.
    assert client.get(address, {"q": "job:0"}).context["cl"].result_count == 1


@pytest.mark.parametrize("path", ["packet_id", "external_id", "decision_tracking_id"])
def test_the_ids_of_a_packet_have_indexes(path):
    assert change_list.has_index(Packet, path)
    assert not change_list.has_index(Packet, "case_id")
