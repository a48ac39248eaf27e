"""Private columns are hidden on every page from those who may not see them; a reveal is a POST, and logged."""

import re
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from decisions.models import ClinicalOpsMessage, DecisionMessage, PacketDecision, SendClinicalOps, SendIntegration
from decisions.staff.approve import approve
from inbox.models import InboxAudit, InboxCorrection, InboxJob, InboxTally
from packets.models import IntegrationMessage, Packet, PacketDocument
from tests.support.cases import active, answer, decided, packet
from tests.support.clinical import write
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db

MARK = "MARKED"
CASE = tracking_id(1)
MODELS = [
    model
    for app in ("inbox", "packets", "decisions")
    for model in apps.get_app_config(app).get_models()
    if model is not InboxTally
]
PEOPLE = (Packet, PacketDocument, PacketDecision, SendClinicalOps)
PAYLOADS = (IntegrationMessage, ClinicalOpsMessage, SendIntegration, DecisionMessage, InboxCorrection)


def url(model, page="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def text_of(answer):
    return answer.content.decode()


@pytest.fixture
def client():
    """The browser of somebody who has not logged in."""
    return Client()


@pytest.fixture
def as_role(client):
    def log_in(role, *permissions):
        user = User.objects.create_user(f"a {role}", is_staff=True)
        user.groups.set(Group.objects.filter(name=role))
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)
        return client

    return log_in


def marked(name):
    return f"{MARK}-{name}"


@pytest.fixture
def marked_rows():
    """A case whose private columns are all marked, with a decision of several versions; returns the packet."""
    made = packet(**{name: marked(name) for name in Packet.private.fields})
    PacketDocument.objects.create(packet=made, **{name: marked(name) for name in PacketDocument.private.fields})
    decided(approve, made)
    answer(made, {"answer": "AFFIRM", "said": MARK}, message_id=7)
    DecisionMessage.objects.create(
        packet=made,
        kind="payload",
        source="test",
        message_id=8,
        content={"is_sent": True, "a": MARK},
        payload={"a": MARK},
    )
    before = active(made)
    PacketDecision.objects.filter(pk=before.pk).update(is_active=False)
    texts = {name: marked(name) for name in PacketDecision.private.fields - {"denial_details"}}
    PacketDecision.objects.create(
        packet=made,
        decision_type="APPROVE",
        clinical_decision="AFFIRM",
        denial_details={"explanation": MARK},
        esmd_request_payload={"a": MARK},
        requires_utn_fix=True,
        supersedes=before,
        correlation_id=uuid4(),
        created_by="ada",
        **texts,
    )
    for outbox in (SendIntegration, SendClinicalOps):
        outbox.objects.filter(decision_tracking_id=CASE).update(payload={"a": MARK})
    SendIntegration.objects.create(decision_tracking_id=CASE, payload={"a": MARK}, dedupe_key="letter:1:1")
    SendClinicalOps.objects.update(error_reason=MARK)
    message_id = send(esmd(CASE, beneficiary=MARK), CASE)
    write(1, clinical_ops_decision_json={"a": MARK}, payload={"b": MARK})
    of_message = job(
        source="integration", message_type="intake", message_id=message_id, status="DEAD", decision_tracking_id=CASE
    )
    InboxCorrection.objects.create(job=of_message, content={"a": MARK}, made_by="ada")
    InboxJob.objects.filter(pk=of_message.pk).update(is_corrected=True)
    return made


def pages_of(model):
    pk = model._default_manager.order_by("-pk").values_list("pk", flat=True).first()
    pages = [url(model), url(model) + f"?q={tracking_id(1)}"]
    return pages if pk is None else [*pages, url(model, "change", pk), url(model, "history", pk)]


def all_pages(of):
    others = [reverse("admin:app_list", args=[app]) for app in ("inbox", "packets", "decisions")]
    return ["/admin/", *others, *(page for model in MODELS for page in pages_of(model)), url(Packet, "change", of.pk)]


@pytest.mark.parametrize("role", ["viewer", "operator", "editor", "staff reviewer"])
def test_no_page_shows_a_role_what_it_may_not_see(as_role, marked_rows, role):
    client = as_role(role)
    seen = set()
    for page in all_pages(marked_rows):
        got = client.get(page)
        assert got.status_code == 200, page
        assert "no-store" in got.headers["Cache-Control"], page
        if MARK in text_of(got):
            seen.add(page)
    if role != "staff reviewer":
        assert seen == set()
        return
    shows = [url(model, "change", model.objects.latest("pk").pk) for model in PEOPLE]
    assert seen >= {*shows, url(PacketDocument)}
    assert not any(page.startswith(url(model)) for page in seen for model in PAYLOADS)
    assert not InboxAudit.objects.exists()


def test_a_page_says_that_there_is_something_and_not_what(as_role, marked_rows):
    text = text_of(as_role("viewer").get(url(Packet, "change", marked_rows.pk)))
    assert text.count("not shown") >= len(Packet.private.fields) + len(PacketDocument.private.fields)
    # The page names the fields that a version changed, and not their values.
    assert re.search(r"utn:</span> changed", text)
    assert re.search(r"UTN</dt><dd>NONE: not shown, needs correction: not shown not shown", text)
    empty = packet(2)
    assert "not shown" not in text_of(as_role("other", "view_packet").get(url(Packet, "change", empty.pk)))


def test_a_form_of_the_packet_page_shows_no_more_than_the_page(as_role, marked_rows):
    client = as_role("decider", "view_packet", "decide_packet")
    form = reverse("admin:packets_packet_clinical-decision", args=[marked_rows.pk])
    data = {"reason": "x", "correlation_id": uuid4(), "seen": "1", "to": "NON_AFFIRM"}
    for got in (client.get(form), client.post(form, {}), client.post(form, data)):
        assert got.status_code in (200, 409)
        assert "UTN" in text_of(got)
        assert MARK not in text_of(got)
    client = as_role("reviewer", "view_packet", "decide_packet", "see_people")
    assert marked("utn_error_code") in text_of(client.get(form))


LOOKUPS = [
    (Packet, "beneficiary_last_name__startswith=M"),
    (Packet, "case_id__isnull=False"),
    (PacketDocument, "file_name__contains=a"),
    (PacketDecision, "utn__gte=a"),
    (PacketDecision, "esmd_request_payload__a=MARKED"),
    (IntegrationMessage, "payload__beneficiary__startswith=M"),
    (ClinicalOpsMessage, "clinical_ops_decision_json__a=MARKED"),
    (InboxCorrection, "content__a__startswith=M"),
    (DecisionMessage, "content__answer=AFFIRM"),
    (DecisionMessage, "payload__a=MARKED"),
    (PacketDocument, "packet__provider_npi__startswith=M"),
    (InboxCorrection, "job__last_error__startswith=M"),
]


@pytest.mark.parametrize(("model", "lookup"), LOOKUPS, ids=lambda value: getattr(value, "__name__", value))
def test_nobody_finds_hidden_values_by_guessing(as_role, marked_rows, model, lookup):
    got = as_role("viewer").get(f"{url(model)}?{lookup}")
    assert got.status_code == 400
    assert MARK not in text_of(got)


def test_a_list_is_not_ordered_by_what_is_not_shown(as_role, marked_rows):
    PacketDocument.objects.create(packet=marked_rows, document_unique_identifier="A", file_name="A", mime_type="A")
    client = as_role("viewer")
    for column in range(1, 6):
        orders = [
            [row.pk for row in client.get(f"{url(PacketDocument)}?o={sign}{column}").context["cl"].result_list]
            for sign in ("", "-")
        ]
        private = column in (1, 3, 4)
        assert orders[0] == orders[1] or not private, column


@pytest.mark.parametrize("model", [*PEOPLE, *PAYLOADS], ids=lambda model: model.__name__)
def test_a_reveal_is_a_post_with_its_permission_and_is_logged(as_role, marked_rows, model):
    pk = model.objects.latest("pk").pk
    page, reveal = url(model, "change", pk), url(model, "reveal", pk)
    for role in ("viewer", "operator", "staff reviewer"):
        client = as_role(role)
        assert reveal not in text_of(client.get(page))
        assert client.post(reveal).status_code == 403
    client = as_role("editor")
    assert f'action="{reveal}"' in text_of(client.get(page))
    for method in (client.get, client.head, client.options, client.put, client.delete, client.patch):
        assert method(reveal).status_code == 405
    assert MARK not in text_of(client.get(page))
    assert not InboxAudit.objects.exists()
    got = client.post(reveal)
    assert got.status_code == 200
    assert MARK in text_of(got)
    assert "no-store" in got.headers["Cache-Control"]
    entry = InboxAudit.objects.get()
    assert (entry.who, entry.verb, entry.object) == ("a editor", "reveal", f"{model._meta.model_name}:{pk}")
    assert entry.at >= seconds_ago(60)
    assert MARK not in str(InboxAudit.objects.values())
    # It was for that answer alone.
    assert MARK not in text_of(client.get(page))


def test_a_reveal_needs_a_login_the_page_a_token_and_a_row(as_role, marked_rows, client):
    pk = IntegrationMessage.objects.get().pk
    reveal = url(IntegrationMessage, "reveal", pk)
    got = client.post(reveal)
    assert (got.status_code, "/login/" in got.url) == (302, True)
    client = as_role("stranger", "reveal_payload")
    assert client.post(reveal).status_code == 403
    client = as_role("editor")
    for missing in ("999999", "9" * 30, "x"):
        assert client.post(url(IntegrationMessage, "reveal", missing)).status_code == 404
    client.handler.enforce_csrf_checks = True
    assert client.post(reveal).status_code == 403
    assert not InboxAudit.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_the_message_is_opened_to_be_corrected_by_a_logged_post_and_not_kept_by_the_browser(as_role, marked_rows, role):
    client = as_role(role)
    address = url(InboxJob, "correct", InboxJob.objects.get(source="integration").pk)
    got = client.get(address + "?open=yes", follow=True)
    assert MARK not in text_of(got)
    assert not InboxAudit.objects.exists()
    got = client.post(address, {"open": "yes"})
    assert (got.status_code, MARK in text_of(got)) == ((403, False) if role == "viewer" else (200, True))
    assert InboxAudit.objects.count() == (role == "editor")
    if role == "editor":
        assert "no-store" in got.headers["Cache-Control"]


def test_what_a_page_holds_is_in_no_title_and_no_name(marked_rows):
    for model in MODELS:
        for row in model._default_manager.all():
            assert MARK not in str(row)


@pytest.mark.parametrize(("role", "count"), [("viewer", 0), ("staff reviewer", 1)])
@pytest.mark.parametrize(("model", "name"), [(Packet, "case_id"), (PacketDocument, "document_unique_identifier")])
def test_nobody_searches_by_what_they_do_not_see(as_role, marked_rows, model, name, role, count):
    found = as_role(role).get(url(model), {"q": marked(name)})
    assert found.context["cl"].result_count == count
