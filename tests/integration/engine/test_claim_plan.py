"""The plans of a claim and of a look by EXPLAIN, with statistics that are fresh, stale and wrong; no clock decides.

A plan that sorts, or reads the whole table, is right and quick in every small test, and stops a system of millions.
"""

import pytest
from django.db import connection

from inbox.engine.has_work import has_work
from tests.support.probe import claim_all, probe_source

pytestmark = pytest.mark.django_db

# Autovacuum can't analyze what no commit has shown; off all the same, so that nobody has to know that.
AUTOVACUUM_OFF = "ALTER TABLE integration_inbox SET (autovacuum_enabled = off)"
ANALYZE = "ANALYZE integration_inbox"
FILL = """
INSERT INTO integration_inbox (source, message_id, message_type, decision_tracking_id, status, next_attempt_at)
SELECT %(source)s, (SELECT coalesce(max(message_id), 0) FROM integration_inbox) + n, 'probe', gen_random_uuid(),
       %(status)s, now() + (n - 30000) * %(apart)s * interval '1 second'
  FROM generate_series(1, 20000) AS n
"""


def run(sql, **values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def empty():
    run(AUTOVACUUM_OFF)
    # Rows that other tests rolled back are still in the file, and the planner counts them.
    run("TRUNCATE integration_inbox CASCADE")


def fill(status="NEW", source="test", apart=1):
    """20,000 jobs; due, or with `apart` below 0 not due."""
    run(FILL, status=status, source=source, apart=apart)


def fresh():
    fill("DONE")
    fill()
    run(ANALYZE)


def made_while_it_was_new():
    run(ANALYZE)
    fill()


def made_after_it_was_emptied():
    fill()
    run("DELETE FROM integration_inbox")
    run(ANALYZE)
    fill()


def made_when_all_was_done():
    fill("DONE")
    run(ANALYZE)
    fill()


def made_when_nothing_was_due():
    fill("FAILED", apart=-1)
    run(ANALYZE)
    fill()


def made_before_this_source_had_a_job():
    fill(source="another")
    run(ANALYZE)
    fill()


STATISTICS = [
    fresh,
    made_while_it_was_new,
    made_after_it_was_emptied,
    made_when_all_was_done,
    made_when_nothing_was_due,
    made_before_this_source_had_a_job,
]


def made_when_all_was_due():
    fill()
    run(ANALYZE)
    run("DELETE FROM integration_inbox")
    fill("DONE")


@pytest.mark.parametrize("make_statistics", STATISTICS, ids=lambda make: make.__name__)
def test_the_select_reads_its_index_in_order_and_the_update_goes_by_key(make_statistics):
    empty()
    make_statistics()
    found = plans_of_a_claim()
    assert kinds(found["SELECT"]) == ["Limit", "LockRows", "Index Scan"]
    assert indexes(found["SELECT"]) == ["inbox_due"]
    assert "Seq Scan" not in kinds(found["UPDATE"])
    assert indexes(found["UPDATE"]) == ["integration_inbox_pkey"]


# A look has no settings of its own, which would be two more queries. Where a table was emptied and filled again before
# the next ANALYZE, it reads what has come since.
OF_A_LOOK = [make for make in STATISTICS if make is not made_after_it_was_emptied] + [made_when_all_was_due]


@pytest.mark.parametrize("make_statistics", OF_A_LOOK, ids=lambda make: make.__name__)
def test_a_poll_reads_the_index_of_what_is_due(make_statistics):
    empty()
    make_statistics()
    plan = plans(lambda: has_work([probe_source()]))["SELECT"]
    scans = [node for node in plan if node.get("Relation Name") == "integration_inbox" and node["Alias"] != "job"]
    assert kinds(scans) == ["Index Scan"]
    assert indexes(scans) == ["inbox_due"]
    assert "Sort" not in kinds(plan)


def plans_of_a_claim():
    """The nodes of the plans of a claim's statements, by their first word."""

    def claim_some():
        assert len(claim_all(probe_source())) == 200

    return plans(claim_some)


def plans(deed):
    """The nodes of the plans of the statements of `deed`, by their first word."""
    found = {}

    def explain(execute, sql, params, many, context):
        word = sql.split()[0]
        if word in ("SELECT", "UPDATE"):
            # Django's cursor would come here again.
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                ((plan,),) = cursor.fetchone()
                found[word] = list(nodes(plan["Plan"]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        deed()
    return found


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def kinds(plan):
    return [node["Node Type"] for node in plan]


def indexes(plan):
    return [node["Index Name"] for node in plan if "Index Name" in node]
