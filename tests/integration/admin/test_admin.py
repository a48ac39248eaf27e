import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Max
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from decisions.models import ClinicalOpsMessage, DecisionMessage, PacketDecision, SendClinicalOps, SendIntegration
from inbox.db import bounded_count
from inbox.fields import UnreadableJson
from inbox.models import (
    InboxAudit,
    InboxCorrection,
    InboxJob,
    InboxTally,
    InboxWorker,
    PollWatermark,
    SourcePause,
)
from packets.codes import Channel
from packets.models import IntegrationMessage, Packet, PacketDocument, PacketEvent
from packets.open_packet import open_packet
from tests.support.rows import esmd, job, send, tracking_id

pytestmark = pytest.mark.django_db

# The front page shows the tallies, as a whole; the admin can't list a table whose key is a pair.
MODELS = [
    model
    for app in ("inbox", "packets", "decisions")
    for model in apps.get_app_config(app).get_models()
    if model is not InboxTally
]
UNREADABLE_TIMES = ["-infinity", "4000-01-01 BC", "20000-01-01", "infinity"]
UNREADABLE_JSON = ['{"number": %s}' % ("9" * 5000), "[" * 3000 + "]" * 3000]
GARBAGE = [
    "'",
    "%",
    "\\",
    "-1",
    "9" * 30,
    "9" * 5000,
    "1.5",
    "٣",
    "{}",
    "0" * 32,
    "a b",
    "🙂",
    "None",
    "\ud800",
]
CASE = tracking_id(1)


def url(model, page="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def pk_of(model):
    return model._default_manager.order_by("-pk").values_list("pk", flat=True)[0]


def send_clinical_ops(**columns):
    names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO service_ops_send_serviceops ({names}) VALUES ({places}) RETURNING message_id",
            list(columns.values()),
        )
        return cursor.fetchone()[0]


@pytest.fixture
def a_row_of_each():
    packet, _ = open_packet(CASE, channel=Channel.FAX, by="ada", reason="called")
    packet.documents.create(document_unique_identifier="DOC-FAKE-1", file_name="a.pdf", mime_type="application/pdf")
    PacketDecision.objects.create(
        packet=packet, decision_type="APPROVE", denial_details={"a": 1}, correlation_id=uuid4(), created_by="ada"
    )
    DecisionMessage.objects.create(
        packet=packet, kind="clinical", source="staff", message_id=7, content={"answer": "AFFIRM"}
    )
    for outbox in (SendIntegration, SendClinicalOps):
        outbox.objects.create(decision_tracking_id=CASE, payload={"a": [1]}, dedupe_key="letter:1:1")
    send(esmd(CASE), CASE)
    send_clinical_ops(decision_tracking_id=CASE)
    made = job(decision_tracking_id=CASE, last_error="x" * 500)
    InboxCorrection.objects.create(job=made, content={"a": 1}, made_by="ada")
    InboxAudit.objects.create(who="ada", verb="requeue", reason="fixed", object="job:1", before={"status": "DEAD"})
    PollWatermark.objects.create(source="integration")
    SourcePause.objects.create(source="integration", reason="refused", next_try_at="2031-02-03T04:05:06Z")
    InboxWorker.objects.create(instance_id=uuid4(), worker_id="host:1", command="run_inbox_worker", host="host", pid=1)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_has_a_list_and_a_page_per_row(client, a_row_of_each, model):
    assert admin.site.is_registered(model)
    pk = pk_of(model)
    listing = client.get(url(model))
    assert listing.status_code == 200
    assert url(model, "change", pk) in listing.content.decode()
    assert client.get(url(model, "change", pk)).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_search_for_garbage_is_no_error(client, a_row_of_each, model):
    for garbage in GARBAGE:
        answer = client.get(url(model), {"q": garbage.encode("utf-8", "surrogatepass")})
        assert answer.status_code == 200, garbage


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_filter_works_and_garbage_in_it_is_no_error(client, a_row_of_each, model):
    links = re.findall(r'href="(\?[^"]+)"', client.get(url(model)).content.decode())
    for query in [*links, "?status__exact=garbage", "?p=999999", "?nothing=1", "?o=3.-1", "?all="]:
        answer = client.get(url(model) + query.replace("&amp;", "&"), follow=True)
        assert answer.status_code == 200, query


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_staff_without_permissions_see_nothing(client, a_row_of_each, model):
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert client.get(url(model)).status_code == 403
    assert client.get(url(model, "change", pk_of(model))).status_code == 403


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("page", ["change", "delete"])
def test_nobody_changes_or_deletes_a_row(client, a_row_of_each, model, page):
    before = list(model._default_manager.values())
    assert client.post(url(model, page, pk_of(model)), {"status": "DONE", "post": "yes"}).status_code == 403
    assert list(model._default_manager.values()) == before


def test_nobody_deletes_rows_from_the_list(client, a_row_of_each):
    data = {"action": "delete_selected", "_selected_action": [pk_of(InboxJob)], "post": "yes", "index": 0}
    client.post(url(InboxJob), data)
    assert InboxJob.objects.exists()


def test_only_packets_can_be_added(client):
    can_add = [model for model in MODELS if client.get(url(model, "add")).status_code == 200]
    assert can_add == [Packet]


@pytest.mark.parametrize("text", ["abc", "9" * 30, "_00", "-1"])
def test_a_page_of_a_row_that_is_not_there_leads_back(client, text):
    assert client.get(url(InboxJob, "change", text)).status_code == 302
    assert client.get(url(PollWatermark, "change", text)).status_code == 302


@pytest.mark.parametrize("time", UNREADABLE_TIMES)
def test_a_message_with_a_time_outside_pythons_range_is_shown(client, time):
    message_id = send(esmd(CASE), CASE, created_at=time)
    clinical_ops_id = send_clinical_ops(decision_tracking_id=CASE, created_at=time, updated_at=time)
    for model, pk in ((IntegrationMessage, message_id), (ClinicalOpsMessage, clinical_ops_id)):
        for page in (url(model), url(model, "change", pk)):
            answer = client.get(page)
            assert answer.status_code == 200
            assert "not readable" in answer.content.decode()


@pytest.mark.parametrize("payload", UNREADABLE_JSON, ids=["number", "nesting"])
def test_a_message_with_json_that_python_cannot_read_is_shown(client, payload):
    message_id = send(payload, CASE)
    clinical_ops_id = send_clinical_ops(decision_tracking_id=CASE, payload=payload, clinical_ops_decision_json=payload)
    for model, pk in ((IntegrationMessage, message_id), (ClinicalOpsMessage, clinical_ops_id)):
        assert client.get(url(model)).status_code == 200
        assert "not readable" in client.get(url(model, "change", pk)).content.decode()
        text = client.post(url(model, "reveal", pk)).content.decode()
        assert "not readable" in text
        assert payload[-2000:].replace('"', "&quot;") in text


@pytest.mark.parametrize("depth", range(100, 1100, 100))
def test_json_of_any_depth_is_shown(client, depth):
    message_id = send("[" * depth + "]" * depth, CASE)
    assert client.get(url(IntegrationMessage, "change", message_id)).status_code == 200


def test_a_payload_is_shown_indented_and_escaped(client):
    message_id = send({"b": {"a": "<script>alert(1)</script>"}}, CASE)
    text = client.post(url(IntegrationMessage, "reveal", message_id)).content.decode()
    assert "&quot;b&quot;: {\n    &quot;a&quot;" in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text


def test_a_long_payload_is_cut_and_says_so(client):
    message_id = send({"a": "x" * 150_000}, CASE)
    text = client.post(url(IntegrationMessage, "reveal", message_id)).content.decode()
    assert "more characters" in text
    assert len(text) < 130_000


def test_lists_fetch_no_payloads(client, django_assert_max_num_queries):
    for _ in range(3):
        send(esmd(CASE), CASE)
    with django_assert_max_num_queries(10) as queries:
        client.get(url(IntegrationMessage))
    assert not any('"payload"' in query["sql"] for query in queries)


def test_lists_make_no_query_per_row(client, django_assert_max_num_queries):
    for number in range(20):
        packet, _ = open_packet(tracking_id(number), channel=Channel.FAX, by="ada", reason="called")
        PacketDocument.objects.create(
            packet=packet, document_unique_identifier="DOC-FAKE-1", file_name="a.pdf", mime_type="application/pdf"
        )
        PacketDecision.objects.create(packet=packet, decision_type="APPROVE", correlation_id=uuid4(), created_by="ada")
    for model in (Packet, PacketDocument, PacketEvent, PacketDecision):
        with django_assert_max_num_queries(8):
            client.get(url(model))


@pytest.mark.parametrize(
    ("model", "texts"),
    [
        (InboxJob, ["{0.inbox_id}", "{0.message_id}", "{0.decision_tracking_id}", " {0.decision_tracking_id.hex} "]),
        (Packet, ["{0.packet_id}", "{0.external_id}", "{0.decision_tracking_id}"]),
        (PacketEvent, ["{0.packet.external_id}", "{0.packet.decision_tracking_id}"]),
        (PacketDecision, ["{0.packet.external_id}", "{0.packet.decision_tracking_id}", "{0.correlation_id}"]),
        (IntegrationMessage, ["{0.message_id}", "{0.decision_tracking_id}"]),
        (SendIntegration, ["{0.dedupe_key}"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_search_finds_a_row_by_each_of_its_ids_and_by_nothing_else(client, a_row_of_each, model, texts):
    row = model.objects.get()
    for text in texts:
        assert client.get(url(model), {"q": text.format(row)}).context["cl"].result_count == 1
    for text in ("nothing", str(uuid4()), "999999999"):
        assert client.get(url(model), {"q": text}).context["cl"].result_count == 0


def test_a_long_list_is_not_counted_to_its_end(client, monkeypatch):
    monkeypatch.setattr(bounded_count, "LIMIT", 2)
    for _ in range(2):
        job()
    assert re.search(r"\b2\s+jobs", client.get(url(InboxJob)).content.decode())
    job()
    with CaptureQueriesContext(connection) as queries:
        assert re.search(r"more than 2\s+jobs", client.get(url(InboxJob)).content.decode())
    assert any("ORDER BY 1 DESC LIMIT 3" in query["sql"] for query in queries)
    assert not any("COUNT(*)" in query["sql"] and "LIMIT" not in query["sql"] for query in queries)


def test_the_list_of_jobs_shows_the_beginning_of_the_last_error(client):
    job(last_error="begin " + "x" * 500)
    text = client.get(url(InboxJob)).content.decode()
    assert "begin xxx" in text
    assert "x" * 80 not in text


def test_a_packet_without_documents_is_marked(client):
    open_packet(CASE, channel=Channel.FAX, by="ada", reason="called")
    assert "<strong>no documents</strong>" in client.get(url(Packet)).content.decode()
    Packet.objects.update(has_documents=True)
    assert "no documents" not in client.get(url(Packet)).content.decode()


def test_a_time_that_is_not_there_is_a_dash(client, a_row_of_each):
    text = client.get(url(Packet, "change", pk_of(Packet))).content.decode()
    assert '<div class="readonly">-</div>' in text
    assert '<div class="readonly">None</div>' not in text


def test_the_page_of_a_packet_shows_its_documents_and_history(client, a_row_of_each):
    text = client.get(url(Packet, "change", pk_of(Packet))).content.decode()
    assert "DOC-FAKE-1" in text
    assert "called" in text
    assert '<input type="text"' not in text


NEW_PACKET = {"decision_tracking_id": str(CASE), "channel_type_id": "2", "reason": "called by phone"}


def test_a_packet_is_opened_by_the_form(client):
    answer = client.post(url(Packet, "add"), NEW_PACKET, follow=True)
    packet = Packet.objects.get()
    assert answer.redirect_chain == [(url(Packet, "change", packet.pk), 302)]
    assert "was opened" in answer.content.decode()
    event = packet.events.get()
    assert (event.by, event.reason) == ("boss", "called by phone")
    assert LogEntry.objects.get().object_id == str(packet.pk)


def test_a_case_that_has_a_packet_is_said_and_linked_and_nothing_is_overwritten(client):
    packet, _ = open_packet(CASE, channel=Channel.ESMD, by="ada", reason="first")
    answer = client.post(url(Packet, "add"), NEW_PACKET, follow=True)
    text = answer.content.decode()
    assert "already has a packet" in text
    assert f'<a href="{url(Packet, "change", packet.pk)}">{packet.external_id}</a>' in text
    packet.refresh_from_db()
    assert packet.channel_type_id == Channel.ESMD
    assert packet.events.get().by == "ada"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"decision_tracking_id": "x"}, {"channel_type_id": "7"}, {"reason": " "}, {"reason": "a\x00b"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_form_with_a_mistake_is_shown_again_and_opens_nothing(client, wrong):
    answer = client.post(url(Packet, "add"), NEW_PACKET | wrong)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not Packet.objects.exists()


def test_whoever_may_only_view_packets_opens_none(client):
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_packet"))
    client.force_login(viewer)
    assert client.get(url(Packet)).status_code == 200
    assert client.post(url(Packet, "add"), NEW_PACKET).status_code == 403
    assert not Packet.objects.exists()


def test_a_time_outside_pythons_range_is_none_wherever_it_is_selected():
    rows = [send({}, created_at=time) for time in UNREADABLE_TIMES]
    messages = IntegrationMessage.objects.filter(pk__in=rows)
    for queryset in (messages, messages.only("created_at"), messages.defer("payload")):
        assert [message.created_at for message in queryset] == [None] * 4
    assert list(messages.values_list("created_at", flat=True)) == [None] * 4
    assert messages.aggregate(last=Max("created_at")) == {"last": None}
    assert set(messages.values_list("created_at").annotate(last=Max("created_at"))) == {(None, None)}


def test_a_time_at_the_edge_of_pythons_range_is_read():
    for text in ("0001-01-02 00:00+00", "2031-02-03 04:05:06.123456+00", "9999-12-30 00:00+00"):
        message = IntegrationMessage.objects.get(pk=send({}, created_at=text))
        assert f"{message.created_at:%Y}".zfill(4) == text[:4]


@pytest.mark.parametrize("direction", ["", "-"])
def test_times_outside_pythons_range_keep_their_place_in_the_order(direction):
    middle = "2031-02-03"
    rows = [send({}, created_at=time) for time in ("-infinity", middle, "infinity")]
    expected = rows[::-1] if direction else rows
    order = f"{direction}created_at"
    messages = IntegrationMessage.objects.order_by(order)
    assert [message.pk for message in messages] == expected
    assert [pk for pk, _ in messages.values_list("pk", "created_at")] == expected
    annotated = IntegrationMessage.objects.annotate(at=Max("created_at")).order_by(f"{direction}at")
    assert [message.pk for message in annotated] == expected


def test_filters_use_the_time_as_it_is_stored():
    pk = send({}, created_at="infinity")
    latest = IntegrationMessage.objects.filter(created_at__gt=datetime.max.replace(tzinfo=UTC)).values("pk")
    assert latest.get() == {"pk": pk}
    assert "CASE" not in str(latest.query)


@pytest.mark.parametrize("payload", UNREADABLE_JSON, ids=["number", "nesting"])
def test_json_that_python_cannot_read_comes_as_its_text(payload):
    message = IntegrationMessage.objects.get(pk=send(payload))
    assert isinstance(message.payload, UnreadableJson)
    assert message.payload == payload
    message.refresh_from_db(fields=["payload"])
    assert IntegrationMessage.objects.values_list("payload", flat=True).get() == payload


def test_json_that_python_can_read_comes_as_values():
    send({"a": [1, None, "x"]})
    assert IntegrationMessage.objects.get().payload == {"a": [1, None, "x"]}
    assert IntegrationMessage.objects.values_list("payload__a", flat=True).get() == [1, None, "x"]
