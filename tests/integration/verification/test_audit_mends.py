"""The mends that the findings and the how-to after a restore give: after each, the audit finds nothing."""

import re

import pytest
from django.db import connection, transaction

from decisions.case import lock_case
from decisions.outbox import request_clinical_review, request_letters
from decisions.staff.approve import approve
from inbox import registry
from inbox.db.identities import fix, identities_behind
from inbox.engine.reclaim import reclaim_all_stale
from inbox.engine.sweeps.turn import SweepKind
from inbox.models import InboxJob
from packets.models import IntegrationMessage
from tests.support.audit.damage import damage
from tests.support.audit.stories import found, take_in, tell_story
from tests.support.cases import decided
from tests.support.drain import drain_all, swept
from tests.support.project import PROJECT
from tests.support.rows import send
from verification.audit.checks import all_checks

pytestmark = pytest.mark.django_db

HOW_TO = (PROJECT / "docs/howto/restore-after-failover.md").read_text()


@pytest.fixture
def packet():
    return tell_story()


def delete_job(packet, message_type):
    [job] = InboxJob.objects.filter(decision_tracking_id=packet.decision_tracking_id, message_type=message_type)
    job.delete()
    return job


def sql_in_how_to(start, **values):
    """The statement of the how-to that begins so, with these texts replaced."""
    statements = map("".join, re.findall(r"```sql\n(.*?)```|`(UPDATE [^`]*)`", HOW_TO, re.DOTALL))
    [text] = [statement for statement in statements if start in statement]
    for old, new in values.values():
        assert old in text
        text = text.replace(old, str(new))
    return text


def test_a_lost_job_of_integration_is_made_again(packet):
    job = delete_job(packet, "intake")
    assert len(found()) == 1
    for kind in SweepKind:
        swept(registry.source("integration"), kind)
    made = InboxJob.objects.get(source="integration", message_id=job.message_id)
    drain_all()
    # Its intake is the one that was applied, so it is ignored: no second effect.
    made.refresh_from_db()
    assert (made.status, made.note) == ("DONE", "this intake has been applied already")
    assert found() == {}


@pytest.mark.parametrize(("source", "flag"), [("clinical_decision", "decision"), ("generated_payload", "payload")])
def test_a_lost_job_of_a_flag_is_made_again_once_the_flag_is_lowered(packet, source, flag):
    job = delete_job(packet, source)
    assert len(found()) == 1
    sql = sql_in_how_to(
        "is_decision_ingested = false", flag=("is_decision_ingested", f"is_{flag}_ingested"), keys=("…", job.message_id)
    )
    damage(sql)
    drain_all()
    made = InboxJob.objects.get(source=source, message_id=job.message_id)
    assert (made.status, made.note) == ("DONE", "this message has been applied already")
    assert found() == {}


def test_a_lost_payload_request_is_made_again(packet):
    job = delete_job(packet, "generate_payload")
    assert len(found()) == 1
    damage(sql_in_how_to("'generate_payload'", key=("23", job.message_id)))
    assert found() == {}


def test_a_lost_letter_is_requested_again_and_never_twice(packet):
    damage("DELETE FROM send_integration")
    assert len(found()) == 1
    for _ in range(2):
        with transaction.atomic():
            case = lock_case(packet.pk)
            request_letters([(case, case.active)])
    assert found() == {}


def test_a_lost_review_is_requested_again_and_never_twice():
    packet = take_in(1)
    decided(approve, packet)
    damage("DELETE FROM send_clinicalops")
    assert len(found()) == 1
    for _ in range(2):
        with transaction.atomic():
            case = lock_case(packet.pk)
            request_clinical_review(case.packet, case.active)
    assert found() == {}


def test_a_watermark_ahead_of_the_clock_is_forgotten(packet):
    damage("UPDATE poll_watermark SET last_created_at = now() + interval '1 hour'")
    assert len(found()) == 1
    jobs = InboxJob.objects.count()
    damage(sql_in_how_to("last_created_at = NULL", source=("'…'", "'integration'")))
    drain_all()
    assert InboxJob.objects.count() == jobs
    assert found() == {}


def test_an_old_claim_is_reclaimed(packet):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE integration_inbox SET status = 'PROCESSING', locked_by = 'w', lease_id = gen_random_uuid(),"
            " locked_at = now() - interval '1 hour', started_at = now() WHERE status = 'NEW'"
        )
        assert cursor.rowcount == 1
    assert len(found()) == 1
    reclaim_all_stale(stale_after_s=120, max_attempts=5, batch_size=10)
    assert found() == {}


def test_an_identity_is_moved(packet):
    send({}, message_id=IntegrationMessage.objects.order_by("-pk")[0].pk + 3, is_deleted=True)
    assert len(found()) == 1
    for identity in identities_behind():
        fix(identity)
    assert found() == {}


def test_the_how_to_explains_every_finding():
    words = {
        "rows": ["rows below the watermark", "rows with a flag", "rows of an outbox"],
        "effects": ["effects there twice"],
        "gaps": ["gaps and forks in a chain"],
        "two": ["two active versions", "two packets of one case"],
        "payload": ["payload requests, letters, reviews missing"],
        "letters": ["payload requests, letters, reviews twice"],
        "clinical": ["payload requests, letters, reviews twice"],
    }
    for check in all_checks():
        for text in words.get(check.name.split()[0], [check.name]):
            assert f"| {text}" in HOW_TO, check.name
