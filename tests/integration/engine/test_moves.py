"""The moves of a job: the table in the code, the trigger in the database and the diagram say the same."""

from itertools import permutations
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from inbox.models import InboxAudit, InboxJob
from inbox.statuses import ALLOWED_MOVES, RECORDED_MOVES, Status
from tests.support.rows import job

pytestmark = pytest.mark.django_db

JOB_MOVES = sorted(permutations(Status, 2))


def move(row, status):
    values = {"status": status, "locked_by": None, "locked_at": None}
    if status == Status.PROCESSING:
        values |= {"locked_by": "somebody", "locked_at": row.created_at, "lease_id": uuid4()}
    with transaction.atomic():
        InboxJob.objects.filter(pk=row.pk).update(**values)


@pytest.mark.parametrize(("start", "end"), JOB_MOVES)
def test_the_trigger_allows_exactly_the_moves_of_the_table(start, end):
    row = job(status=start)
    if (start, end) in ALLOWED_MOVES:
        move(row, end)
    else:
        with pytest.raises(IntegrityError, match=f"may not move from {start} to {end}"):
            move(row, end)


@pytest.mark.parametrize(("start", "end"), JOB_MOVES)
def test_a_recorded_move_opens_no_other_door(start, end):
    row = job(status=start)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('inbox.recorded_move', 'requeue: a test', true)")
    if (start, end) in ALLOWED_MOVES | RECORDED_MOVES:
        move(row, end)
    else:
        with pytest.raises(IntegrityError):
            move(row, end)


@pytest.mark.parametrize(
    "columns", [{"locked_by": "x"}, {"locked_at": "now()"}, {"status": "PROCESSING"}, {"status": "OK"}]
)
def test_checks_refuse_a_row_that_can_not_be(columns):
    names = ", ".join(["source", "message_id", "message_type", *columns])
    values = ["test", 1, "probe", *columns.values()]
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO integration_inbox ({names}) VALUES ({', '.join(['%s'] * len(values))})", values)


def test_the_audit_is_append_only():
    entry = InboxAudit.objects.create(who="op", verb="requeue", reason="a test", object="job:1")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        InboxAudit.objects.filter(pk=entry.pk).update(who="nobody")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        entry.delete()
