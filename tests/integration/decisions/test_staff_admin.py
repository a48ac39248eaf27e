"""What staff do on the page of a packet: each action by its form, upon what they saw, once, and with permission."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection, connections, transaction
from django.test import Client
from django.urls import reverse

from decisions.case import Case, lock_case
from decisions.codes import ClinicalDecision, DenialReason, OperationalDecision
from decisions.errors import NotAllowedNow
from decisions.models import PacketDecision, SendClinicalOps
from decisions.packet_page.actions import ACTIONS, why_not
from decisions.packet_page.admin import DecidedPacketAdmin
from decisions.packet_page.changes import changes, comparable
from decisions.packet_page.history import LIMIT
from decisions.staff.approve import approve
from decisions.staff.dismiss import REQUIRED_DETAIL, dismiss
from decisions.staff.update_clinical_decision import update_clinical_decision
from decisions.staff.update_operational_decision import update_operational_decision
from decisions.versions import COPIED
from packets.codes import DetailedStatus
from packets.models import Packet, PacketEvent
from packets.move_packet import MoveRefused, move_packet
from tests.support.cases import active, affirmed, answer, approved, chain, decided, fresh, packet

pytestmark = pytest.mark.django_db

NAMES = [action.name for action in ACTIONS]
REASON = "It looks complete & good."
DETAILS = {
    DenialReason.MISSING_FIELDS: ("missingFields", "npi\n\n dates \n", {"missingFields": ["npi", "dates"]}),
    DenialReason.INVALID_PECOS: ("explanation", "TEST", {"explanation": "TEST"}),
    DenialReason.INVALID_HETS: ("explanation", "TEST", {"explanation": "TEST"}),
    DenialReason.PROCEDURE_NOT_SUPPORTED: ("procedureCode", "00000", {"procedureCode": "00000"}),
    DenialReason.NO_MEDICAL_RECORDS: ("denial_text", "TEST", {"reason": "TEST"}),
    DenialReason.OTHER: ("denial_text", "TEST", {"reason": "TEST"}),
}
OTHER = {"denial_reason": DenialReason.OTHER, "denial_details": {"reason": "TEST"}}


@pytest.fixture
def client(client):
    client.force_login(User.objects.create_superuser("boss"))
    return client


def page(of, action="change"):
    return reverse(f"admin:packets_packet_{action}", args=[of.pk])


def text_of(answer):
    return answer.content.decode()


def form_of(client, of, action):
    """What a browser would send if the person filled in nothing."""
    answer = client.get(page(of, action))
    assert answer.status_code == 200
    return sent_by(answer)


def sent_by(answer):
    return {name: answer.context[name] for name in ("seen", "request_id")}


def submit(client, of, action, form=None, follow=True, **typed):
    data = (form or form_of(client, of, action)) | {"reason": REASON} | typed
    return client.post(page(of, action), data, follow=follow)


def rows():
    return [list(model.objects.order_by("pk").values()) for model in (Packet, PacketEvent, PacketDecision, LogEntry)]


def buttons(client, of):
    links = re.findall(rf'href="{page(of)[: -len("change/")]}([a-z-]+)/"', text_of(client.get(page(of))))
    return [name for name in links if name in NAMES]


def closed():
    made = packet()
    decided(dismiss, made, **OTHER)
    return fresh(made)


def with_utn():
    made = affirmed()
    content = {"is_success": True, "utn": "UTN-FAKE-000001"}
    answer(made, content, kind="utn", second=5, message_id=2)
    return fresh(made)


@pytest.mark.parametrize(
    ("make", "action", "typed", "becomes", "status"),
    [
        (
            packet,
            "approve",
            {},
            {"decision_type": "APPROVE", "clinical_decision": "PENDING"},
            "Pending - Clinical Review",
        ),
        (packet, "affirm", {}, {"clinical_decision": "AFFIRM"}, "Clinical Decision Received"),
        (
            packet,
            "dismiss",
            {"denial_reason": "OTHER", "denial_text": "TEST"},
            {"decision_type": "DISMISSAL", "denial_reason": "OTHER", "denial_details": {"reason": "TEST"}},
            "Dismissal",
        ),
        (
            approved,
            "clinical-decision",
            {"to": "NON_AFFIRM"},
            {"clinical_decision": "NON_AFFIRM", "decision_round": 1},
            "Clinical Decision Received",
        ),
        (
            affirmed,
            "clinical-decision",
            {"to": "NON_AFFIRM"},
            {"clinical_decision": "NON_AFFIRM", "decision_round": 2},
            "Clinical Decision Received",
        ),
        (
            closed,
            "operational-decision",
            {"to": "DISMISSAL_COMPLETE"},
            {"operational_decision": "DISMISSAL_COMPLETE"},
            "Dismissal Complete",
        ),
        (closed, "operational-decision", {"to": "PENDING"}, {"operational_decision": "PENDING"}, "Validation"),
        (
            with_utn,
            "operational-decision",
            {"to": "DECISION_COMPLETE"},
            {"operational_decision": "DECISION_COMPLETE", "utn": "UTN-FAKE-000001"},
            "Decision Complete",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_decision_is_made_by_its_form(client, make, action, typed, becomes, status):
    of = make()
    versions = PacketDecision.objects.count()
    assert action in buttons(client, of)
    got = submit(client, of, action, **typed)
    assert got.redirect_chain == [(page(of), 302)]
    assert f"done. The packet is at {status}." in text_of(got)
    version = active(of)
    assert {name: getattr(version, name) for name in becomes} == becomes
    assert version.created_by == "boss"
    assert (fresh(of).detailed_status, PacketDecision.objects.count()) == (status, versions + 1)
    event = of.events.last()
    assert event.by == "boss"
    assert REASON in event.reason
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("boss", str(of.pk))
    assert REASON in entry.change_message
    chain(of)


def test_a_packet_is_moved_by_its_form(client):
    of = packet()
    got = submit(client, of, "move", to="Intake")
    assert "done. The packet is at Intake." in text_of(got)
    event = of.events.get()
    assert (event.what, event.by, event.reason) == ("moved", "boss", REASON)
    assert (event.from_status, event.to_status) == ("Pending - New", "Intake")
    assert LogEntry.objects.get().object_id == str(of.pk)


@pytest.mark.django_db(transaction=True)
def test_what_can_not_be_logged_is_not_decided(client, monkeypatch):
    of = packet()
    form = form_of(client, of, "approve")
    monkeypatch.setattr(DecidedPacketAdmin, "log_change", Mock(side_effect=ZeroDivisionError))
    with pytest.raises(ZeroDivisionError):
        submit(client, of, "approve", form)
    assert not PacketDecision.objects.exists()


def test_approving_asks_clinical_ops_once(client):
    of = packet()
    form = form_of(client, of, "approve")
    for _ in range(3):
        submit(client, of, "approve", form)
    assert SendClinicalOps.objects.count() == 1


TYPED = {
    "approve": {},
    "affirm": {},
    "dismiss": {"denial_reason": "MISSING_FIELDS", "missingFields": "npi\ndates"},
    "clinical-decision": {"to": "AFFIRM"},
    "operational-decision": {"to": "DISMISSAL_COMPLETE"},
    "move": {"to": "Intake"},
}


def case_for(action):
    return closed() if action == "operational-decision" else packet()


@pytest.mark.parametrize("action", NAMES)
def test_a_double_click_does_it_once_and_says_so(client, action):
    of = case_for(action)
    form = form_of(client, of, action)
    submit(client, of, action, form, **TYPED[action])
    before = rows()
    got = submit(client, of, action, form, **TYPED[action])
    assert got.redirect_chain == [(page(of), 302)]
    assert "this was done already" in text_of(got)
    assert rows() == before


def test_a_late_second_click_does_not_move_a_packet_that_is_back_where_it_was(client):
    of = packet()
    form = form_of(client, of, "move")
    submit(client, of, "move", form, to="Intake")
    submit(client, of, "move", to="Pending - New")
    before = rows()
    assert "this was done already" in text_of(submit(client, of, "move", form, to="Intake"))
    assert rows() == before
    submit(client, of, "move", to="Intake")
    assert fresh(of).detailed_status == "Intake"


OTHERWISE = {
    "clinical-decision": ({"to": "AFFIRM"}, {"to": "NON_AFFIRM"}),
    "dismiss": ({**TYPED["dismiss"], "explanation": "first"}, {**TYPED["dismiss"], "explanation": "second"}),
    "move": ({"to": "Intake"}, {"to": "Validation"}),
    "approve": ({"reason": "first"}, {"reason": "second"}),
}


@pytest.mark.parametrize("action", OTHERWISE)
def test_a_form_that_is_sent_again_with_something_else_is_no_second_click(client, action):
    of = case_for(action)
    form = form_of(client, of, action)
    first, second = OTHERWISE[action]
    submit(client, of, action, form, **first)
    before = rows()
    got = submit(client, of, action, form, **second)
    assert got.status_code == 409
    assert "Nothing has been changed" in text_of(got)
    for name, value in second.items():
        assert got.context["form"][name].value() == value
    assert rows() == before


def test_what_was_said_before_can_be_said_again_after_something_else(client):
    of = packet()
    form = form_of(client, of, "clinical-decision")
    for said in ("AFFIRM", "NON_AFFIRM", "AFFIRM"):
        got = submit(client, of, "clinical-decision", form, to=said)
        if got.status_code == 409:
            form = sent_by(got)
            submit(client, of, "clinical-decision", form, to=said)
        assert active(of).clinical_decision == said


@pytest.mark.parametrize("action", NAMES)
def test_a_stale_page_is_told_so_and_keeps_what_was_typed(client, action):
    of = case_for(action)
    form = form_of(client, of, action)
    if action == "operational-decision":
        decided(update_operational_decision, of, to=OperationalDecision.PENDING, by="grace")
        now = "grace has decided meanwhile"
    elif action == "move":
        with transaction.atomic():
            move_packet(of.pk, to=DetailedStatus.VALIDATION, seen=of.detailed_status, by="grace", reason="x")
        now = "it has become Validation meanwhile; you saw Pending - New"
    else:
        decided(approve, of, by="grace")
        now = "grace has decided meanwhile: APPROVE"
    before = rows()
    got = submit(client, of, action, form, **TYPED[action])
    assert got.status_code == 409
    text = text_of(got)
    assert f"Nothing has been changed: {now}" in text
    assert REASON.replace("&", "&amp;") in text
    assert re.search(r"Last event, 20[^<]*by\s+grace", text)
    assert rows() == before
    for name, value in TYPED[action].items():
        assert got.context["form"][name].value() == value
    if "missingFields" in TYPED[action]:
        assert "npi\ndates" in text


def test_whoever_submits_the_stale_page_as_it_was_is_refused_again(client):
    of = packet()
    form = form_of(client, of, "clinical-decision")
    decided(approve, of, by="grace")
    for _ in range(2):
        assert submit(client, of, "clinical-decision", form, to="AFFIRM").status_code == 409
    assert active(of).clinical_decision == "PENDING"


def test_whoever_submits_the_newly_shown_page_decides_upon_it(client):
    of = packet()
    form = form_of(client, of, "clinical-decision")
    decided(approve, of, by="grace")
    told = submit(client, of, "clinical-decision", form, to="AFFIRM")
    got = submit(client, of, "clinical-decision", sent_by(told), to="AFFIRM")
    assert "done. The packet" in text_of(got)
    assert [version.created_by for version in chain(of)] == ["grace", "boss"]


def test_what_is_not_possible_any_more_is_said_and_can_not_be_submitted(client):
    of = packet()
    form = form_of(client, of, "approve")
    decided(approve, of, by="grace")
    text = text_of(submit(client, of, "approve", form))
    assert "Approve is not possible now: the packet is at Pending - Clinical Review" in text
    assert 'type="submit" class="default"' not in text


def test_a_choice_that_is_not_possible_any_more_is_still_told(client):
    of = closed()
    form = form_of(client, of, "operational-decision")
    decided(update_operational_decision, of, to=OperationalDecision.DISMISSAL_COMPLETE, by="grace")
    got = submit(client, of, "operational-decision", form, to="DISMISSAL_COMPLETE")
    assert "You chose DISMISSAL_COMPLETE, which is no longer possible." in text_of(got)
    assert re.findall(r'type="radio" name="to" value="(\w+)"', text_of(got)) == ["PENDING"]


@pytest.mark.parametrize("action", NAMES)
def test_a_form_that_makes_no_sense_now_leads_back_and_says_why(client, action):
    of = approved() if action in ("approve", "operational-decision", "move") else closed()
    got = client.get(page(of, action), follow=True)
    assert got.redirect_chain == [(page(of), 302)]
    assert "is not possible now" in text_of(got)


@pytest.mark.parametrize("action", NAMES)
def test_looking_at_a_form_changes_nothing(client, action):
    of = case_for(action)
    before = rows()
    query = {"reason": REASON, "request_id": uuid4(), **TYPED[action]}
    for ask in (client.get, client.head):
        assert ask(page(of, action), query).status_code == 200
    assert client.put(page(of, action)).status_code == 405
    assert rows() == before


@pytest.mark.parametrize("action", NAMES)
def test_nobody_acts_without_the_permission(client, action):
    of = case_for(action)
    form = form_of(client, of, action)
    user = User.objects.create_user("viewer", is_staff=True)
    other = "move_packet" if action != "move" else "decide_packet"
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_packet", "change_packet", other]))
    client.force_login(user)
    before = rows()
    assert action not in buttons(client, of)
    assert client.get(page(of, action)).status_code == 403
    assert submit(client, of, action, form, **TYPED[action]).status_code == 403
    assert rows() == before


@pytest.mark.parametrize("action", NAMES)
def test_the_permission_is_enough_for_staff_who_may_see_packets(client, action):
    of = case_for(action)
    user = User.objects.create_user("clerk", is_staff=True)
    own = "move_packet" if action == "move" else "decide_packet"
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_packet", own]))
    client.force_login(user)
    assert action in buttons(client, of)
    assert "done. The packet" in text_of(submit(client, of, action, **TYPED[action]))
    user.user_permissions.set(Permission.objects.filter(codename=own))
    assert client.get(page(of, action)).status_code == 403


def test_whoever_may_see_only_packets_sees_no_history(client):
    of = approved()
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_packet"))
    client.force_login(user)
    text = text_of(client.get(page(of)))
    assert buttons(client, of) == []
    assert "Decision versions" not in text
    assert "Events, oldest" not in text


def test_nobody_acts_without_a_login():
    of = packet()
    got = Client().post(page(of, "approve"), {"reason": REASON, "request_id": uuid4()})
    assert got.status_code == 302
    assert "/login/" in got.url
    assert not PacketDecision.objects.exists()


def test_nobody_acts_without_a_csrf_token(client):
    of = packet()
    form = form_of(client, of, "approve")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post(page(of, "approve"), form | {"reason": REASON}).status_code == 403
    assert not PacketDecision.objects.exists()


@pytest.mark.parametrize("number", ["999", "9" * 30])
def test_a_packet_that_is_not_there_is_not_found(client, number):
    assert client.get(f"/admin/packets/packet/{number}/approve/").status_code == 404
    assert client.post(f"/admin/packets/packet/{number}/approve/").status_code == 404


@pytest.mark.parametrize("reason", DenialReason.values)
def test_a_dismissal_names_the_detail_that_is_missing(client, reason):
    of = packet()
    got = submit(client, of, "dismiss", denial_reason=reason)
    field, text, details = DETAILS[reason]
    assert got.status_code == 200
    assert list(got.context["form"].errors) == [field]
    assert f"{reason} needs {REQUIRED_DETAIL[reason]}" in text_of(got)
    assert REASON.replace("&", "&amp;") in text_of(got)
    assert not PacketDecision.objects.exists()
    submit(client, of, "dismiss", sent_by(got), denial_reason=reason, **{field: text})
    assert (active(of).denial_reason, active(of).denial_details) == (reason, details)


def test_details_that_the_reason_does_not_require_are_kept_too(client):
    of = packet()
    submit(client, of, "dismiss", denial_reason="OTHER", denial_text="TEST", explanation="more")
    assert active(of).denial_details == {"explanation": "more", "reason": "TEST"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": " "},
        {"reason": "a\x00b"},
        {"reason": "x" * 2001},
        {"to": "PENDING"},
        {"to": "nonsense"},
    ],
    ids=str,
)
def test_a_mistake_in_the_form_is_shown_and_decides_nothing(client, wrong):
    of = packet()
    got = submit(client, of, "clinical-decision", **{"to": "AFFIRM"} | wrong)
    assert got.status_code == 200
    assert "errorlist" in text_of(got)
    assert not PacketDecision.objects.exists()


@pytest.mark.parametrize("seen", ["x", "9" * 30, "9" * 5000, "1", "-1", "\x00", "٣"])
def test_a_form_that_does_not_say_what_was_seen_decides_nothing(client, seen):
    of = packet()
    assert submit(client, of, "clinical-decision", to="AFFIRM", seen=seen).status_code == 409
    assert not PacketDecision.objects.exists()


@pytest.mark.parametrize("request_id", ["x", ""])
def test_a_request_without_a_good_id_decides_once(client, request_id):
    of = packet()
    form = form_of(client, of, "clinical-decision") | {"request_id": request_id}
    answers = [submit(client, of, "clinical-decision", form, follow=False, to="AFFIRM") for _ in range(2)]
    assert [got.status_code for got in answers] == [302, 409]
    assert PacketDecision.objects.count() == 1


def test_what_is_so_already_is_said(client):
    of = affirmed()
    got = submit(client, of, "clinical-decision", to="AFFIRM")
    assert "it is so already" in text_of(got)
    assert not LogEntry.objects.exists()


def test_what_was_typed_is_escaped_wherever_it_is_shown(client):
    of = packet()
    script = "<script>alert(1)</script>"
    form = form_of(client, of, "clinical-decision")
    submit(client, of, "dismiss", denial_reason="OTHER", denial_text=script, reason=script)
    for got in (submit(client, of, "clinical-decision", form, to="AFFIRM", reason=script), client.get(page(of))):
        assert "&lt;script&gt;alert(1)" in text_of(got)
        assert script not in text_of(got)


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
        expected = [] if name == "packet_id" else [str(field.verbose_name)]
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


def test_a_dismissal_that_was_opened_again_can_be_approved(client):
    of = closed()
    submit(client, of, "operational-decision", to="PENDING")
    assert {"approve", "dismiss", "affirm", "move"} <= set(buttons(client, of))
    submit(client, of, "approve")
    assert active(of).denial_reason is None
    assert len(chain(of)) == 3


def at_once(*posts):
    """Send these at the same time, each over a connection of its own; returns the answers."""
    barrier = Barrier(len(posts))

    def post(client, url, data):
        try:
            barrier.wait(10)
            return client.post(url, data)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(posts)) as pool:
        return [future.result() for future in [pool.submit(post, *arguments) for arguments in posts]]


def logged_in(name):
    client = Client()
    client.force_login(User.objects.create_superuser(name))
    return client


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["approve", "clinical-decision", "move"])
def test_of_two_people_at_once_one_decides_and_the_other_is_told(action):
    of, people = packet(), [logged_in("ada"), logged_in("grace")]
    typed = {"reason": REASON, **TYPED[action]}
    answers = at_once(*[(client, page(of, action), form_of(client, of, action) | typed) for client in people])
    assert sorted(answer.status_code for answer in answers) == [302, 409]
    [told] = [answer for answer in answers if answer.status_code == 409]
    assert "meanwhile" in text_of(told)
    assert LogEntry.objects.count() == 1
    assert of.events.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["approve", "dismiss", "move"])
def test_of_two_clicks_at_once_one_decides_and_the_other_finds_it_done(action):
    of, client = packet(), logged_in("ada")
    data = form_of(client, of, action) | {"reason": REASON, **TYPED[action]}
    clones = [Client(), Client()]
    for clone in clones:
        clone.cookies = client.cookies
    answers = at_once(*[(clone, page(of, action), data) for clone in clones])
    assert [answer.status_code for answer in answers] == [302, 302]
    assert LogEntry.objects.count() == 1
    assert of.events.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_packet_that_is_being_worked_on_is_said_and_nothing_is_lost():
    of, client = packet(), logged_in("ada")
    form = form_of(client, of, "approve")

    def submitted():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '50ms'")
            return submit(client, of, "approve", form)
        finally:
            connections.close_all()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        lock_case(of.pk)
        told = pool.submit(submitted).result()
    assert told.status_code == 409
    assert "someone else is working on the packet" in text_of(told)
    assert REASON.replace("&", "&amp;") in text_of(told)
    assert "done. The packet" in text_of(submit(client, of, "approve", sent_by(told)))
