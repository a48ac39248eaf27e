"""The table of ClinicalOps is restored with its triggers at work, so that each of its rows is written anew."""

import pytest
from django.db import connection

from decisions.models import ClinicalOpsMessage, SendIntegration
from inbox.models import InboxJob
from tests.support.cases import active, packet, utn
from tests.support.clinical import decision, payload, rewrite, write_decision
from tests.support.drain import drain_all
from tests.support.rows import seconds_ago

pytestmark = pytest.mark.django_db(transaction=True)

ALL = "*"
# Without the columns that are ours.
THEIRS = "message_id, decision_tracking_id, payload, clinical_ops_decision_json, json_sent_to_integration, created_at"


def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def back_up():
    """Keeps the table as it is when called."""
    yield lambda: execute("CREATE TEMPORARY TABLE backup AS TABLE service_ops_send_serviceops")
    execute("DROP TABLE backup")


def restore(columns):
    execute("TRUNCATE service_ops_send_serviceops")
    names = "" if columns == ALL else f"({columns})"
    execute(f"INSERT INTO service_ops_send_serviceops {names} SELECT {columns} FROM backup")


def story(case):
    """The state of the case, and what was asked for."""
    version = active(case)
    asked = InboxJob.objects.filter(source="json_generator").count()
    letters = SendIntegration.objects.count()
    return version.pk, version.clinical_decision, version.esmd_request_status, version.utn, asked, letters


@pytest.mark.parametrize("columns", [ALL, THEIRS], ids=["all", "theirs"])
@pytest.mark.parametrize("is_of_yesterday", [True, False])
def test_an_answer_that_was_corrected_stays_what_it_was_and_so_does_its_round(back_up, columns, is_of_yesterday):
    """Else the UTN of the first round would count for the second, or the answer of yesterday for that of today."""
    case = packet()
    row = write_decision(created_at=seconds_ago(1000))
    drain_all()
    rewrite(row, json_sent_to_integration=True, payload=payload())
    utn()
    drain_all()
    assert story(case)[1:] == ("AFFIRM", "ACKED", "UTN-FAKE-000001", 1, 1)
    if is_of_yesterday:
        back_up()
    rewrite(row, clinical_ops_decision_json=decision("N"))
    drain_all()
    before = story(case)
    assert before[1:] == ("NON_AFFIRM", "NOT_SENT", None, 2, 1)
    if not is_of_yesterday:
        back_up()
    restore(columns)
    drain_all()
    assert story(case) == before
    assert ClinicalOpsMessage.objects.get().clinical_decision_applied_at


def test_an_answer_that_is_given_again_counts_although_the_clock_has_gone_back():
    case = packet()
    row = write_decision(created_at=seconds_ago(1000))
    ClinicalOpsMessage.objects.update(decision_written_at=seconds_ago(-600))
    drain_all()
    rewrite(row, clinical_ops_decision_json=decision("N"))
    drain_all()
    rewrite(row, clinical_ops_decision_json=decision("A"))
    drain_all()
    assert active(case).clinical_decision == "AFFIRM"


def test_the_next_correction_counts(back_up):
    case = packet()
    row = write_decision(created_at=seconds_ago(1000))
    back_up()
    drain_all()
    restore(THEIRS)
    drain_all()
    for indicator, answer in (("N", "NON_AFFIRM"), ("A", "AFFIRM"), ("N", "NON_AFFIRM")):
        rewrite(row, clinical_ops_decision_json=decision(indicator))
        drain_all()
        assert active(case).clinical_decision == answer
    assert active(case).decision_round == 4
