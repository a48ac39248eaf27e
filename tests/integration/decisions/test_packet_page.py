"""The page of a packet shows the buttons that are possible, what went wrong, and the history."""

import re
from uuid import uuid4

import pytest
from django.db import connection, transaction

from decisions.case import Case
from decisions.codes import ClinicalDecision, OperationalDecision
from decisions.errors import NotAllowedNow
from decisions.models import PacketDecision
from decisions.packet_page.actions import ACTIONS, why_not
from decisions.packet_page.changes import changes, comparable
from decisions.packet_page.history import LIMIT
from decisions.staff.approve import approve
from decisions.staff.update_clinical_decision import update_clinical_decision
from decisions.versions import COPIED
from packets.codes import DetailedStatus
from packets.models import Packet, PacketEvent
from packets.move_packet import MoveRefused
from tests.support.cases import active, affirmed, answer, approved, decided, fresh, packet
from tests.support.pages.packet_page import closed, page, text_of, with_utn

pytestmark = pytest.mark.django_db

STATES = [packet, approved, affirmed, closed, with_utn]


@pytest.mark.parametrize("make", STATES, ids=lambda make: make.__name__)
def test_the_buttons_are_what_the_verbs_allow(client, make):
    """At every status, and after everything that a person can do next."""
    of = make()
    for status in DetailedStatus:
        Packet.objects.filter(pk=of.pk).update(detailed_status=status)
        case = Case(fresh(of), active(of))
        for action in ACTIONS:
            data = {"reason": "x", "denial_reason": "OTHER", "denial_text": "TEST"}
            allowed = [to for to in TARGETS.get(action.name, [""]) if does(action, case, data | {"to": to})]
            offered = [] if why_not(action, case) else action.choices(case) or [""]
            assert sorted(offered) == sorted(allowed), (action.name, status)


TARGETS = {
    "clinical-decision": ["AFFIRM", "NON_AFFIRM"],
    "operational-decision": OperationalDecision.values,
    "move": DetailedStatus.values,
}


def does(action, case, data):
    """Whether the verb does it; it is undone."""
    form, request_id = action.form(data), uuid4()
    assert form.is_valid()
    request = {"by": "ada", "correlation_id": request_id, "seen": action.read_seen(action.seen(case))}
    try:
        with transaction.atomic():
            made = action.verb(case.packet.pk, **request, **form.cleaned_data)
            raise Undone
    except Undone:
        return getattr(made, "correlation_id", request_id) == request_id
    except (NotAllowedNow, MoveRefused):
        return False


class Undone(Exception):
    pass


def test_every_field_of_a_version_is_compared():
    of = with_utn()
    [*_, before, _] = comparable(PacketDecision.objects.filter(packet=of)).order_by("pk")
    for name in COPIED:
        [after] = comparable(PacketDecision.objects.filter(pk=before.pk))
        shown = "payload_digest" if name == "esmd_request_payload" else name
        setattr(after, shown, "something else")
        field = PacketDecision._meta.get_field(name)
        # The digest is compared as the payload that it stands for.
        expected = [] if name in ("packet_id", "esmd_payload_digest") else [str(field.verbose_name)]
        assert [change.field for change in changes(before, after)] == expected


@pytest.mark.django_db(transaction=True)
def test_the_history_is_told_in_order_with_what_changed_and_why(client):
    of = packet()
    decided(approve, of, reason="complete")
    payload = {"is_sent": True, "answer": "AFFIRM", "payload": {"documentation": ["fake/secret.pdf"]}, "error": None}
    answer(of, {"answer": "AFFIRM"})
    answer(of, payload | {"subtype": "DIRECT_PA", "part_type": "B"}, kind="payload", second=1, message_id=2)
    decided(update_clinical_decision, of, answer=ClinicalDecision.NON_AFFIRM, reason="corrected")
    text = " ".join(re.sub(r"<[^>]+>", " ", text_of(client.get(page(of)))).split())
    told = [
        "Decision versions, oldest first",
        "decision type: — → APPROVE",
        "approve: complete",
        "clinical decision: PENDING → AFFIRM",
        "decision subtype: — → DIRECT_PA",
        "esmd request status: NOT_SENT → SENT",
        "esmd request payload: changed",
        "clinical decision: AFFIRM → NON_AFFIRM",
        "esmd request payload: changed",
        "decision round: 1 → 2",
        "corrected",
        "Events, oldest first",
        "Pending - New → Pending - Clinical Review",
        "job 1",
    ]
    position = 0
    for piece in told:
        assert piece in text[position:], piece
        position = text.index(piece, position) + len(piece)
    assert "secret.pdf" not in text
    assert "esmd request status: NOT_SENT → NOT_SENT" not in text


def test_what_went_wrong_at_cms_is_shown_above_the_buttons(client):
    of = affirmed()
    wrong = {"is_sent": False, "answer": None, "payload": None, "error": "TEST", "subtype": None, "part_type": None}
    answer(of, wrong, kind="payload", second=1, message_id=2)
    fail = {"is_success": False, "error_code": "E1", "error_description": "TEST", "action_required": "Call"}
    answer(of, fail, kind="utn", second=2, message_id=3)
    text = text_of(client.get(page(of)))
    assert "FAILED: TEST" in text
    assert "FAILED, needs correction: E1 Call" in text


def test_a_first_version_tells_no_defaults():
    of = approved()
    [first] = comparable(PacketDecision.objects.filter(packet=of))
    assert [change.field for change in changes(None, first)] == [
        "decision type",
        "operational decision",
        "clinical decision",
    ]


def test_a_page_makes_the_same_few_queries_however_long_the_history_and_shows_its_end(
    client, django_assert_max_num_queries
):
    of = approved()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO packet_decision (packet_id, decision_type, correlation_id, created_by, is_active, utn)
            SELECT %s, 'APPROVE', gen_random_uuid(), 'ada', false, n FROM generate_series(1, 300) n
            """,
            [of.pk],
        )
    PacketEvent.objects.bulk_create([PacketEvent(packet=of, what="answered", job_id=n) for n in range(300)])
    with django_assert_max_num_queries(10):
        got = client.get(page(of))
    shown = got.context["history"]
    assert (len(shown.steps), len(shown.events)) == (LIMIT, LIMIT)
    assert "utn: 299 → " in re.sub(r"<[^>]+>", "", text_of(got))
    assert shown.steps[0].changes[0].before == "200"
    assert "all versions" in text_of(got)
    with django_assert_max_num_queries(10):
        client.get(page(of, "dismiss"))
