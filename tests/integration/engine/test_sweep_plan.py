"""How sweeps read the table: from where they begin to where they end, and nothing beyond."""

import pytest
from django.db import connection

from inbox.db.planner import by_index
from inbox.engine.ingest import LOWEST_ID
from inbox.engine.sweeps.sweep import BEGIN, RANGES, SELECT_STEP
from inbox.engine.sweeps.turn import SweepKind
from inbox.models import PollWatermark
from tests.support.rows import seconds_ago, send

pytestmark = pytest.mark.django_db(transaction=True)

RANGES_BY_NAME = {f"{kind.value} {number}": range_ for kind in SweepKind for number, range_ in enumerate(RANGES[kind])}


@pytest.mark.parametrize("name", RANGES_BY_NAME)
def test_rows_that_wait_above_the_mark_are_not_read(name):
    """A day without workers may leave millions of them."""
    PollWatermark.objects.create(source="test", last_created_at=seconds_ago(1000), last_message_id=0)
    for number in range(5):
        send({}, created_at=seconds_ago(500 + number))
    start, rows = RANGES_BY_NAME[name]
    values = {"source": "test", "lookback_s": 100, "step": 50_000}
    begin = BEGIN.format(start=start, lowest_id=LOWEST_ID)
    sql = SELECT_STEP.format(table="integration_send_serviceops", range=rows, begin=begin)
    with connection.cursor() as cursor, by_index():
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS off, TIMING off) {sql}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "integration_send_order" in plan
    assert "Rows Removed by Filter" not in plan, plan
