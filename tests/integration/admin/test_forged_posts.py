"""A forged request to an action on a job or a packet does nothing."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, ProgrammingError, connection, transaction
from django.test import Client
from django.urls import reverse
from psycopg.errors import AdminShutdown, DeadlockDetected, DiskFull, LockNotAvailable, QueryCanceled

from decisions.models import PacketDecision
from inbox.admin_pages.seen import as_seen, seen
from inbox.models import InboxAudit, InboxCorrection, InboxJob
from inbox.operations.verbs import OPERATIONS, REQUEUE
from packets.codes import DetailedStatus
from packets.models import Packet, PacketEvent
from packets.move_packet import MoveRefused, move_packet
from tests.support.cases import packet
from tests.support.pages.forged_posts import (
    CASE,
    FORGED,
    JOB_PAGES,
    PACKET_PAGES,
    message,
    operator,
    page,
    rows,
    somebody,
)
from tests.support.probe import lock_waiters, wait_until
from tests.support.rows import job, seconds_ago

pytestmark = pytest.mark.django_db


def test_a_correction_becomes_only_what_its_source_has(dead_message):
    client = somebody("view_inboxjob", "correct_job", "reveal_payload")
    shown = client.post(page(dead_message, "correct"), {"open": "yes"})
    forged = FORGED | {"seen": shown.context["seen"], "message_type": "generate_payload"}
    assert client.post(page(dead_message, "correct"), forged).status_code == 200
    assert InboxJob.objects.get().status == "DEAD"
    assert not InboxCorrection.objects.exists()


def test_what_has_no_message_is_not_corrected_by_a_forged_post():
    made = job(status="DEAD", source="json_generator", message_type="generate_payload")
    client = somebody("view_inboxjob", "correct_job", "reveal_payload")
    assert client.post(page(made, "correct"), FORGED | {"seen": seen(made), "message_type": made.message_type}).url
    assert client.post(page(made, "correct"), {"open": "yes"}).url
    assert not InboxCorrection.objects.exists()
    assert InboxJob.objects.get().status == "DEAD"


@pytest.mark.parametrize("status", ["NEW", "PROCESSING", "FAILED", "WAITING", "DEAD", "DONE"])
def test_what_is_not_possible_is_not_done_by_a_forged_post_either(status):
    """One that knows what is to be seen: the verbs themselves take only what they can be done to."""
    of = message(status)
    client = somebody("view_inboxjob", "operate_job", "correct_job", "reveal_payload")
    jobs, before = InboxJob.objects.all(), rows()
    for action in OPERATIONS:
        if not action.possible(jobs).exists():
            got = client.post(page(of, action.name), FORGED | {"seen": seen(of), "to": ""})
            assert got.status_code == 409, action.name
    if not REQUEUE.possible(jobs).exists():
        assert client.post(page(of, "correct"), FORGED | {"seen": seen(of)}).status_code == 409
        # Nor is it opened to be corrected, which would reveal it.
        assert client.post(page(of, "correct"), {"open": "yes"}).status_code == 302
    assert rows() == before


def test_a_change_just_before_the_lock_is_found_under_the_lock():
    for changed in ({"updated_at": seconds_ago(-1)}, {"status": "DEAD"}, {"lease_id": uuid4()}):
        made = job(status="FAILED")
        jobs = as_seen(made.pk, seen(made))
        assert jobs.exists()
        InboxJob.objects.filter(pk=made.pk).update(**changed)
        assert not jobs.exists(), changed


def status_of_a_form_whose_work_fails(monkeypatch, error):
    def fail(*arguments, **named):
        raise error

    monkeypatch.setattr("inbox.admin_pages.job_page.job_form.apply", fail)
    client = operator()
    client.raise_request_exception = False
    made = job(status="FAILED")
    return client.post(page(made, "requeue"), {"seen": seen(made), "reason": "x"}).status_code


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (LockNotAvailable, 409),
        (DeadlockDetected, 409),
        (QueryCanceled, 503),
        (DiskFull, 503),
        (AdminShutdown, 503),
    ],
    ids=lambda v: str(v),
)
def test_what_is_in_use_is_said_and_what_the_database_refuses_may_be_tried_again(monkeypatch, cause, status):
    error = OperationalError()
    error.__cause__ = cause()
    assert status_of_a_form_whose_work_fails(monkeypatch, error) == status


def test_nobody_is_told_to_try_a_bug_again(monkeypatch):
    assert status_of_a_form_whose_work_fails(monkeypatch, ProgrammingError()) == 500


def test_only_get_head_and_post_are_known(dead_message):
    of, client = packet(), Client()
    client.force_login(User.objects.create_superuser("boss"))
    pages = [page(dead_message, name) for name in JOB_PAGES] + [page(of, name) for name in PACKET_PAGES]
    for address in pages:
        for method in (client.put, client.patch, client.delete, client.options):
            assert method(address).status_code == 405, address


@pytest.mark.django_db(transaction=True)
def test_a_move_waits_for_whoever_has_the_packet_and_then_looks_at_what_it_is():
    of = packet()

    def move():
        try:
            with transaction.atomic():
                move_packet(of.pk, to=DetailedStatus.INTAKE, seen=of.detailed_status, by="ada", reason="x")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            move_packet(of.pk, to=DetailedStatus.VALIDATION, seen=of.detailed_status, by="bob", reason="x")
            late = pool.submit(move)
            wait_until(lock_waiters)
        with pytest.raises(MoveRefused, match="it has become Validation meanwhile"):
            late.result(20)
    assert PacketEvent.objects.get().by == "bob"


def test_a_move_says_by_whom_and_why():
    of = packet()
    for empty in ({"by": " "}, {"reason": " "}):
        with pytest.raises(MoveRefused, match="by whom and why"):
            move_packet(
                of.pk, to=DetailedStatus.INTAKE, seen=of.detailed_status, **{"by": "ada", "reason": "x"} | empty
            )


@pytest.mark.parametrize("name", PACKET_PAGES)
def test_a_key_of_something_else_does_nothing(name):
    """Such as that of a job, where there is no packet of that number, and what was seen of another packet."""
    of, _ = packet(1), packet(2)
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    of_other = FORGED | {"seen": "Intake" if name == "move" else "999999", "request_id": uuid4()}
    before = rows()
    assert client.post(page(of, name), of_other).status_code in (200, 409)
    gone = page(of, name).replace(f"/{of.pk}/", "/999999/")
    assert client.post(gone, of_other).status_code == 404
    assert rows() == before


def test_fields_that_a_form_has_not_are_not_taken():
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    forged = {
        *("packet_id", "external_id", "case_id", "detailed_status", "validation_status", "beneficiary_last_name"),
        *("due_date", "has_documents", "intake_message_id", "created_at", "updated_at", "submission_type"),
    }
    values = dict.fromkeys(forged, "7") | {"detailed_status": "Decision Complete", "has_documents": "on"}
    values |= {"documents-TOTAL_FORMS": "1", "documents-INITIAL_FORMS": "0", "documents-0-file_name": "x"}
    new = {"decision_tracking_id": str(CASE), "channel_type_id": "2", "reason": "called", "_continue": "1"}
    client.post(reverse("admin:packets_packet_add"), new | values)
    made = Packet.objects.get()
    assert (made.detailed_status, made.case_id, made.has_documents) == ("Pending - New", None, False)
    assert not made.documents.exists()
    assert made.pk != 7
    shown = client.get(page(made, "approve")).context
    hidden = {name: shown[name] for name in ("seen", "request_id")}
    more = {"created_by": "eve", "by": "eve", "utn": "7", "decision_round": "7", "to": "AFFIRM", "is_active": ""}
    client.post(page(made, "approve"), hidden | {"reason": "x"} | values | more)
    version = PacketDecision.objects.get()
    assert (version.created_by, version.utn, version.decision_round) == ("boss", None, 1)
    assert (version.clinical_decision, version.is_active) == ("PENDING", True)
    made = job(status="FAILED", attempt_count=3)
    fields = {"status": "DONE", "attempt_count": "0", "locked_by": "eve", "who": "eve", "message_type": "intake"}
    client.post(page(made, "reschedule"), fields | {"seen": seen(made), "reason": "x", "to": ""})
    changed = InboxJob.objects.get(pk=made.pk)
    assert (changed.status, changed.attempt_count, changed.message_type) == ("FAILED", 3, "probe")
    assert {entry.who for entry in InboxAudit.objects.all()} == {"boss"}
