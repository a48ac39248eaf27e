"""Who may do what on the pages of operators and staff, and what a forged request comes to: nothing."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.contrib.admin import site
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

from decisions.models import PacketDecision
from decisions.packet_page.actions import ACTIONS as PACKET_ACTIONS
from inbox.admin_pages.job_list.bulk_action import act_on_many, ask_about_many
from inbox.admin_pages.job_list.seen_jobs import look
from inbox.admin_pages.job_page.actions import ACTIONS as JOB_ACTIONS
from inbox.admin_pages.job_page.seen import as_seen, seen
from inbox.models import InboxAudit, InboxCorrection, InboxJob
from inbox.operations.requeue import requeueable
from packets.codes import DetailedStatus
from packets.models import Packet, PacketEvent
from packets.move_packet import MoveRefused, move_packet
from tests.support.cases import packet
from tests.support.probe import lock_waiters, wait_until
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db

CASE = tracking_id(1)
LIST = reverse("admin:inbox_inboxjob_changelist")
JOB_PAGES = [action.name for action in JOB_ACTIONS] + ["correct", "reveal"]
PACKET_PAGES = [action.name for action in PACKET_ACTIONS]


def page(of, action="change"):
    return reverse(f"admin:{of._meta.app_label}_{of._meta.model_name}_{action}", args=[of.pk])


def somebody(*codenames, is_staff=True):
    """A client of a person with these permissions."""
    user = User.objects.create_user(f"user {uuid4()}", is_staff=is_staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def text_of(answer):
    return answer.content.decode()


def message(status):
    """A job of Integration with its source row."""
    fields = {"source": "integration", "message_type": "intake", "message_id": send(esmd(CASE), CASE)}
    return job(status=status, decision_tracking_id=CASE, **fields)


@pytest.fixture
def dead_message():
    return message("DEAD")


def rows():
    models = (InboxJob, InboxAudit, InboxCorrection, Packet, PacketEvent, PacketDecision)
    return [list(model.objects.order_by("pk").values()) for model in models]


FORGED = {
    "reason": "x",
    "seen": "",
    "to": "AFFIRM",
    "content": "{}",
    "message_type": "intake",
    "denial_reason": "OTHER",
}


def test_only_staff_gets_to_a_form_and_no_browser_keeps_it(dead_message):
    """Whatever else somebody may: the forms are pages of the admin."""
    everything = Permission.objects.values_list("codename", flat=True)
    clients = [Client(), somebody(*everything, is_staff=False)]
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    of = packet()
    before = rows()
    pages = [page(dead_message, name) for name in JOB_PAGES] + [page(of, name) for name in PACKET_PAGES]
    for address in pages:
        for client in clients:
            for got in (client.get(address), client.post(address, FORGED)):
                assert (got.status_code, "/login/" in got.headers.get("Location", "")) == (302, True), address
        assert "no-store" in boss.get(address).headers["Cache-Control"]
    assert rows() == before


@pytest.mark.parametrize(
    ("codenames", "may_correct", "may_reveal"),
    [
        (["view_inboxjob", "correct_job", "reveal_payload"], True, True),
        (["view_inboxjob", "correct_job"], False, False),
        (["view_inboxjob", "reveal_payload"], False, True),
        (["view_inboxjob", "operate_job"], False, False),
        (["correct_job", "reveal_payload", "operate_job"], False, False),
    ],
)
def test_to_correct_takes_to_see_and_to_see_takes_the_page(dead_message, codenames, may_correct, may_reveal):
    client = somebody(*codenames)
    text = text_of(client.get(page(dead_message)))
    assert ("Correct and requeue" in text) == may_correct
    assert ("Reveal (this is logged)" in text) == may_reveal
    assert (client.post(page(dead_message, "correct"), {"open": "yes"}).status_code == 200) == may_correct
    assert (client.post(page(dead_message, "correct"), FORGED).status_code != 403) == may_correct
    assert (client.post(page(dead_message, "reveal")).status_code == 200) == may_reveal
    assert not InboxCorrection.objects.exists()


def test_an_action_on_a_job_takes_the_permission_to_see_jobs(dead_message):
    client = somebody("operate_job", "correct_job", "reveal_payload")
    for name in JOB_PAGES:
        assert client.post(page(dead_message, name), FORGED).status_code == 403
    assert client.post(LIST, {"action": "requeue", ACTION_CHECKBOX_NAME: [dead_message.pk]}).status_code == 403


def test_a_page_links_and_tells_only_what_the_person_may_see(dead_message):
    of = packet()
    InboxAudit.objects.create(who="ada", verb="requeue", reason="told by nobody", object=f"job:{dead_message.pk}")
    source = reverse("admin:packets_integrationmessage_change", args=[dead_message.message_id])
    text = text_of(somebody("view_inboxjob").get(page(dead_message)))
    assert page(of) not in text
    assert source not in text
    assert "told by nobody" not in text
    text = text_of(somebody("view_inboxjob", "view_packet", "view_inboxaudit").get(page(dead_message)))
    assert page(of) in text
    assert source not in text
    assert "told by nobody" in text


def test_what_somebody_elses_program_said_is_shown_by_a_reveal_only():
    error = {
        "attempt": 1,
        "worker": "w",
        "at": "2031-02-03T04:05:06+00:00",
        "kind": "Refused",
        "message": "answered 422",
    }
    fields = {"source": "json_generator", "message_type": "generate_payload", "status": "DEAD"}
    made = job(errors=[error | {"said": "no such SECRET"}], last_error="answered 422", error_kind="Refused", **fields)
    for client in (somebody("view_inboxjob", "operate_job"), editor := somebody("view_inboxjob", "reveal_payload")):
        text = text_of(client.get(page(made)))
        assert "Refused: answered 422. Response: not shown" in text
        assert "SECRET" not in text
    assert "Reveal (this is logged)" in text
    assert "Response: no such SECRET" in text_of(editor.post(page(made, "reveal")))
    assert InboxAudit.objects.get().object == f"job:{made.pk}"


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
    for action in JOB_ACTIONS:
        if not action.possible(jobs).exists():
            got = client.post(page(of, action.name), FORGED | {"seen": seen(of), "to": ""})
            assert got.status_code == 409, action.name
    if not requeueable(jobs).exists():
        assert client.post(page(of, "correct"), FORGED | {"seen": seen(of)}).status_code == 409
        # Nor is it opened to be corrected, which would reveal it.
        assert client.post(page(of, "correct"), {"open": "yes"}).status_code == 302
    assert rows() == before


def test_what_changes_between_the_look_and_the_lock_is_found_under_the_lock():
    for changed in ({"updated_at": seconds_ago(-1)}, {"status": "DEAD"}, {"lease_id": uuid4()}):
        made = job(status="FAILED")
        jobs = as_seen(made.pk, seen(made))
        assert jobs.exists()
        InboxJob.objects.filter(pk=made.pk).update(**changed)
        assert not jobs.exists(), changed


@pytest.mark.parametrize(
    ("cause", "status"), [(LockNotAvailable, 409), (DeadlockDetected, 409), (QueryCanceled, 500)], ids=lambda v: str(v)
)
def test_what_is_in_use_is_said_and_what_is_broken_is_an_error(monkeypatch, cause, status):
    def fail(jobs, limit):
        raise OperationalError from cause()

    monkeypatch.setattr(type(JOB_ACTIONS[0]), "deed", lambda *arguments: fail)
    client = operator()
    client.raise_request_exception = False
    made = job(status="FAILED")
    assert client.post(page(made, "requeue"), {"seen": seen(made), "reason": "x"}).status_code == status


def test_only_get_head_and_post_are_known(dead_message):
    of, client = packet(), Client()
    client.force_login(User.objects.create_superuser("boss"))
    pages = [page(dead_message, name) for name in JOB_PAGES] + [page(of, name) for name in PACKET_PAGES]
    for address in pages:
        for method in (client.put, client.patch, client.delete, client.options):
            assert method(address).status_code == 405, address


def test_an_action_on_many_asks_for_its_permission_itself():
    jobs, action = site.get_model_admin(InboxJob), JOB_ACTIONS[0]
    request = SimpleNamespace(user=User.objects.create_user("nobody"), POST={}, GET=QueryDict())
    with pytest.raises(PermissionDenied):
        ask_about_many(jobs, request, InboxJob.objects.all(), action)
    made = job(status="FAILED")
    seen_jobs = look(InboxJob.objects.filter(pk=made.pk))
    request.POST = {"action": action.name, "reason": "x", "seen": seen_jobs.as_text(f"{request.user.pk} requeue ")}
    with pytest.raises(PermissionDenied):
        act_on_many(jobs, request)


def test_a_packet_is_not_opened_by_get_and_who_may_only_open_is_not_led_to_its_page():
    address = reverse("admin:packets_packet_add")
    new = {"decision_tracking_id": str(CASE), "channel_type_id": "2", "reason": "called"}
    client = somebody("add_packet")
    assert client.get(address, new).status_code == 200
    assert not Packet.objects.exists()
    assert client.post(address, new).url == reverse("admin:index")
    assert Packet.objects.exists()


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
    of, other = packet(1), packet(2)
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    form = client.get(page(other, name)).context["form"] if name != "operational-decision" else None
    hidden = {field.name: field.value() or "" for field in form.hidden_fields()} if form else {}
    of_other = FORGED | hidden | {"seen": "Intake" if name == "move" else "999999", "correlation_id": uuid4()}
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
    form = client.get(page(made, "approve")).context["form"]
    hidden = {field.name: field.value() or "" for field in form.hidden_fields()}
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
    assert InboxAudit.objects.get().who == "boss"


def operator():
    return somebody("view_inboxjob", "operate_job")


def confirmed(shown, **more):
    """What a browser sends from the page that asks."""
    names = ("action", "select_across", "seen")
    context = shown.context
    values = {
        "action": context["action"].name,
        "select_across": "1" if context["is_all"] else "0",
        "seen": context["seen"],
        ACTION_CHECKBOX_NAME: context["selected"],
    }
    assert all(f'name="{name}"' in text_of(shown) for name in names)
    return values | {"reason": "x"} | more


@pytest.mark.parametrize("arrives_at", ["", "?status__exact=DEAD", "?status__exact=FAILED&source=test"])
def test_what_was_asked_of_a_filter_is_not_done_to_another(arrives_at):
    """A request can lose its query on the way; without it all jobs would be meant."""
    client = operator()
    asked = "?status__exact=FAILED"
    made = [job(status=status) for status in ("FAILED", "DEAD", "FAILED")]
    ask = {"action": "requeue", ACTION_CHECKBOX_NAME: [made[0].pk], "select_across": "1"}
    shown = client.post(LIST + asked, ask)
    again = client.post(LIST + arrives_at, confirmed(shown))
    assert again.status_code == 200
    assert again.context["seen"] != shown.context["seen"]
    assert not InboxAudit.objects.exists()
    assert client.post(LIST + arrives_at, confirmed(again)).status_code == 302
    expected = {"": 3, "?status__exact=DEAD": 1, "?status__exact=FAILED&source=test": 2}[arrives_at]
    assert InboxAudit.objects.count() == expected


@pytest.mark.parametrize("key", ["x", "-1", "1 OR 1=1", "", "٣", "9" * 5000, str(2**63)], ids=lambda key: key[:20])
def test_a_selection_of_what_is_no_job_does_nothing(key):
    client = operator()
    made = job(status="FAILED")
    shown = client.post(LIST, {"action": "requeue", ACTION_CHECKBOX_NAME: [made.pk], "select_across": "0"})
    data = confirmed(shown) | {ACTION_CHECKBOX_NAME: [key]}
    assert client.post(LIST, data).status_code == 400
    assert InboxJob.objects.get().status == "FAILED"


OF_OLD = {"confirmed": "yes", "filters": "", "shown_at": "2031-02-30"}


@pytest.mark.parametrize(
    "forged", [None, "", "x", ".eJw:1:x", "cut", "longer", "of another person", "of another action"]
)
def test_of_what_is_not_the_page_of_this_person_and_action_nothing_is_done(forged):
    """It asks again: whoever can write what a page counted needs no page, and one of old may hold no time at all."""
    client, other = operator(), operator()
    made = job(status="FAILED")
    asked = {"action": "mark-dead", ACTION_CHECKBOX_NAME: [made.pk], "select_across": "0"}
    text = client.post(LIST, asked).context["seen"]
    match forged:
        case "cut":
            forged = text[:-1]
        case "longer":
            forged = f"{text}x"
        case "of another person":
            forged = other.post(LIST, asked).context["seen"]
        case "of another action":
            forged = client.post(LIST, asked | {"action": "requeue"}).context["seen"]
    field = {} if forged is None else {"seen": forged}
    again = client.post(LIST, asked | OF_OLD | field | {"reason": "x"})
    assert again.status_code == 200
    assert not InboxAudit.objects.exists()
    assert client.post(LIST, confirmed(again)).status_code == 302
    assert InboxJob.objects.get().status == "DEAD"


@pytest.mark.parametrize("name", [action.name for action in JOB_ACTIONS])
def test_on_many_too_an_action_takes_only_what_it_can_be_done_to(name):
    made = [job(status=status) for status in ("NEW", "PROCESSING", "FAILED", "WAITING", "DEAD", "DONE")]
    [action] = [action for action in JOB_ACTIONS if action.name == name]
    possible = set(action.possible(InboxJob.objects.all()).values_list("pk", flat=True))
    client = operator()
    shown = client.post(LIST, {"action": name, ACTION_CHECKBOX_NAME: [one.pk for one in made], "select_across": "1"})
    assert shown.context["count"] == len(possible)
    client.post(LIST, confirmed(shown, to=""))
    assert {int(entry.object.partition(":")[2]) for entry in InboxAudit.objects.all()} == possible


def test_an_action_that_is_none_does_nothing():
    made = job(status="FAILED")
    for name in ("delete_selected", "correct", "reveal", "approve", ""):
        data = {
            "action": name,
            ACTION_CHECKBOX_NAME: [made.pk],
            "select_across": "1",
            "post": "yes",
            "confirmed": "yes",
        }
        operator().post(LIST, data)
    assert InboxJob.objects.get().status == "FAILED"
    assert not InboxAudit.objects.exists()


def test_who_loses_the_permission_between_the_form_and_its_post_does_nothing():
    client = operator()
    made = job(status="FAILED")
    shown = client.post(LIST, {"action": "requeue", ACTION_CHECKBOX_NAME: [made.pk], "select_across": "0"})
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.set(Permission.objects.filter(codename="view_inboxjob"))
    assert client.post(page(made, "requeue"), {"seen": seen(made), "reason": "x"}).status_code == 403
    client.post(LIST, confirmed(shown))
    assert InboxJob.objects.get().status == "FAILED"
    user.is_active = False
    user.save()
    assert "/login/" in client.get(page(made)).url


@pytest.mark.parametrize("role", ["viewer", "operator", "editor"])
def test_no_role_of_operators_decides_or_opens_a_packet(role):
    user = User.objects.create_user("somebody", is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    of = packet()
    before = rows()
    text = text_of(client.get(page(of)))
    for name in PACKET_PAGES:
        assert page(of, name) not in text
        assert client.get(page(of, name)).status_code == client.post(page(of, name), FORGED).status_code == 403
    new = {"decision_tracking_id": str(tracking_id(2)), "channel_type_id": "2", "reason": "called"}
    assert client.post(reverse("admin:packets_packet_add"), new).status_code == 403
    assert rows() == before
