"""Marked values go through every path; none is found in a log, an error text, a note, a metric, the audit, or on any
page of who may not see it.
"""

import io
import json

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from decisions.models import PacketDecision
from decisions.packet_page.actions import ACTIONS as PACKET_ACTIONS
from inbox import registry
from inbox.engine.work import work
from inbox.models import InboxAudit, InboxCorrection, InboxJob, InboxTally, InboxWorker, PollWatermark, SourcePause
from inbox.operations.operation import apply
from inbox.operations.verbs import OPERATIONS, REQUEUE
from inbox.worker.loop import Worker
from packets.intake import handler as intake
from packets.models import Packet, PacketDocument, PacketEvent
from tests.support.clinical import decision, payload, write
from tests.support.drain import drain_all
from tests.support.generator import answering, job_for
from tests.support.generator import decision as version
from tests.support.log_lines import lines
from tests.support.outbound import Service, outbound_source, outbound_worker
from tests.support.probe import claim_all, many_jobs, probe_source
from tests.support.rows import document, esmd, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)

MARK = "MARKED"
MODELS = [
    model
    for app in ("inbox", "packets", "decisions")
    for model in apps.get_app_config(app).get_models()
    if model is not InboxTally
]


def marked(name: str) -> str:
    return f"{MARK}-{name}"


def portal(**fields) -> dict:
    """Every field of a Portal intake that may name a person, marked."""
    names = ["Beneficiary First Name", "Beneficiary Last Name", "Beneficiary Medicare ID", "Beneficiary DOB"]
    names += ["Facility Provider NPI", "Facility Provider Name", "Attending Physician Name", "Requester Phone"]
    read = {name: {"value": marked(name.replace(" ", "-")), "confidence": 1} for name in names}
    read |= {"Submission Type": {"value": "expedited-initial"}, "Submitted Date": {"value": "2031-02-03"}}
    return {
        "messageType": "Portal",
        "packet_id": marked("packet"),
        "submission_metadata": {"creationTime": "2031-02-03T04:05:06.0000000-05:00", "note": marked("note")},
        "ocr": {"coversheet_type": "Medicare Part B", "fields": read},
        "documents": [marked_document()],
    } | fields


def marked_document() -> dict:
    names = {"documentUniqueIdentifier": "document", "fileName": "file.pdf", "blobPath": "fake/blob.pdf"}
    return document(mimeType=f"application/{MARK}") | {key: marked(name) for key, name in names.items()}


def intakes() -> None:
    """Good ones, corrected ones, and all that is broken."""
    send(portal(), tracking_id(1), channel_type_id=1)
    send(portal(documents=[marked_document(), marked_document()]), tracking_id(1), channel_type_id=1)
    send(esmd(tracking_id(2), documents=[marked_document()], note=marked("note")), tracking_id(2))
    for number, broken in enumerate(
        [
            esmd(documents=marked("documents")),
            esmd(documents=[document(blobPath=f"../{MARK}")]),
            esmd(documents=[document(fileName={MARK: MARK})]),
            esmd(message_type=marked("type")),
            esmd(message_type={MARK: MARK}),
            esmd(decision_tracking_id=marked("tracking")),
            esmd(submission_metadata=marked("metadata")),
            esmd(submission_metadata={"creationTime": marked("time"), "esmd_transaction_id": marked("txn")}),
            portal(ocr=marked("ocr")),
            [marked("payload")],
            json.dumps(marked("payload")),
        ],
        start=10,
    ):
        send(broken, tracking_id(number))


def answers() -> None:
    """Clinical answers, payloads and UTNs, good and broken, before and after what they need."""
    names = {"claim_id": marked("claim"), "failed_reason_data": {MARK: MARK}, "decision_status": marked("status")}
    write(1, clinical_ops_decision_json=decision("A", **names))
    write(2, clinical_ops_decision_json=decision("N", **names))
    write(3, clinical_ops_decision_json=decision(marked("indicator")))
    write(4, clinical_ops_decision_json=[marked("decision")])
    write(1, json_sent_to_integration=True, payload=payload("A", esmdTransactionId=marked("txn"), documentation=[MARK]))
    write(2, json_sent_to_integration=True, payload=payload("A", partType=marked("part")))
    write(5, json_sent_to_integration=True, payload={MARK: MARK})
    write(2, json_sent_to_integration=False, payload={"error": marked("error"), "reason": marked("reason")})
    utn = {"message_type": "UTN", "esmd_transaction_id": marked("txn")}
    send(utn | {"unique_tracking_number": marked("utn")}, tracking_id(1))
    send(utn | {"unique_tracking_number": {MARK: MARK}}, tracking_id(1))
    fail = {"message_type": "UTN_FAIL", "error_description": marked("described"), "action_required": marked("action")}
    send(fail | {"error_code": marked("code")}, tracking_id(1))
    send(fail | {"error_code": [MARK]}, tracking_id(6))


SQL_BUGS = [
    f"SELECT '{MARK}'::int",
    f"SELECT '{MARK}'::timestamptz",
    f"SELECT '{{\"{MARK}'::jsonb",
    f"INSERT INTO inbox_worker (instance_id, worker_id, command, host, pid) VALUES ('{MARK}', '', '', '', 1)",
    f"INSERT INTO poll_watermark (source) VALUES ('{MARK}'), ('{MARK}')",
    "INSERT INTO packet (decision_tracking_id, channel_type_id, detailed_status)"
    f" VALUES (gen_random_uuid(), 3, '{MARK}')",
    f"INSERT INTO inbox_audit (who, verb, reason, object) VALUES ('{MARK}', '', NULL, '')",
]


def bug_of_sql(sql):
    def handler(*args):
        with connection.cursor() as cursor:
            cursor.execute(sql)
        return []

    return handler


def bug_of_python(error):
    def handler(*args):
        raise error

    return handler


def crashes() -> None:
    """Handlers that break in all ways, with values in what they raise."""
    bugs = [bug_of_sql(sql) for sql in SQL_BUGS]
    bugs += [
        bug_of_python(error)
        for error in (
            ValueError(marked("value")),
            KeyError(marked("key")),
            json.JSONDecodeError(marked("json"), MARK, 0),
            UnicodeEncodeError("ascii", MARK, 0, 1, marked("reason")),
            type(f"{MARK}Error".replace(MARK, "Odd"), (Exception,), {})(marked("odd")),
        )
    ]
    many_jobs(len(bugs))
    for bug in bugs:
        assert work(claim_all(probe_source(bug), limit=1)).failed == 1
    InboxJob.objects.create(source="test", message_type="probe", message_id=900)
    service = Service({900: bug_of_python(RuntimeError(marked("call")))}, is_open=True)
    outbound_worker(outbound_source(service), worker_id="caller").once()


def generator_answers(settings) -> None:
    """Answers of a JSON Generator that refuses or breaks, with values in them."""
    settings.JSON_GENERATOR_READ_TIMEOUT, settings.JSON_GENERATOR_TOTAL_TIMEOUT = 0.3, 0.8
    generator = registry.source("json_generator")
    # Those of the cases above; some need no question.
    InboxJob.objects.filter(source="json_generator").delete()
    for number, status in enumerate((400, 422, 500, 302, 503), start=100):
        head = f"HTTP/1.1 {status} {MARK}\r\nLocation: /{MARK}\r\nContent-Length: %d\r\n\r\n".encode()
        body = f"{MARK} is no NPI"
        with answering(body.encode(), head) as settings.JSON_GENERATOR_BASE_URL:
            job_for(version(number))
            Worker(sources=[generator], worker_id="asker", batch_size=1, poll_interval_s=0.05).once()


def pages(client: Client) -> None:
    """The admin, but for the pages that are there to show payloads, and what is typed into it."""
    for path in ("", "inbox/inboxjob/", f"inbox/inboxjob/?q={MARK}", f"inbox/inboxjob/{MARK}/change/", f"{MARK}/"):
        client.get(f"/admin/{path}")
    client.post("/admin/login/", {"username": marked("user"), "password": marked("password")})


def breaking_page(client: Client, monkeypatch) -> None:
    monkeypatch.setattr(site, "get_app_list", bug_of_sql(SQL_BUGS[0]))
    client.raise_request_exception = False
    assert client.get("/admin/").status_code == 500


def everything_kept():
    """All rows of the engine's own tables, of histories and of sessions, and the metrics."""
    told = []
    kept = (InboxJob, InboxAudit, InboxWorker, InboxTally, SourcePause, PollWatermark, PacketEvent, LogEntry)
    rows = [(model.__name__, row) for model in kept for row in model.objects.values()]
    # The text of a refusal is kept beside the error, for a reveal; everything else is searched.
    said = [error.pop("said", None) for name, row in rows if name == "InboxJob" for error in row["errors"]]
    assert sum(MARK in text for text in said if text) == 2
    told += [f"{name} {row}" for name, row in rows]
    told += [str(session.get_decoded()) for session in Session.objects.all()]
    told += [str(row) for model in MODELS for row in model.objects.all()]
    for path in ("/metrics", "/healthz", "/readyz"):
        told.append(Client().get(path).content.decode())
    for options in ([], ["--json"], ["--exact"]):
        status = io.StringIO()
        call_command("inbox_status", *options, stdout=status)
        told.append(status.getvalue())
    return "\n".join(told)


# By permission, not by group: a test that empties the database takes the groups with it.
OPERATE = ["operate_job"]
DECIDE = ["decide_packet", "move_packet", "add_packet"]
# Rows of each table that are looked at: as many of the oldest, which the good messages made, and of the newest.
ROWS = 3


def staff(name, *codenames):
    """Somebody who may view everything, and has these permissions besides."""
    client = Client(raise_request_exception=False)
    user = User.objects.create_user(name, is_staff=True)
    views = [f"view_{model._meta.model_name}" for model in MODELS]
    user.user_permissions.set(Permission.objects.filter(codename__in=[*views, *codenames]))
    client.force_login(user)
    return client


def pages_of(model):
    """The lists, the pages and histories of some rows, and the forms of a few."""
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    listing = reverse(f"admin:{name}_changelist")
    pages = [listing, f"{listing}?q={tracking_id(1)}", f"{listing}?o=1.2.3&all=", reverse(f"admin:{name}_add")]
    ordered = list(model.objects.order_by("pk").values_list("pk", flat=True))
    for pk in {*ordered[:ROWS], *ordered[-ROWS:]}:
        pages += [reverse(f"admin:{name}_{kind}", args=[pk]) for kind in ("change", "history")]
    return pages


def forms_of(model, actions, *others):
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    kinds = ["delete", *others, *(action.name for action in actions)]
    pks = (model.objects.earliest("pk").pk, model.objects.latest("pk").pk)
    return [reverse(f"admin:{name}_{kind}", args=[pk]) for pk in pks for kind in kinds]


def look_at(client, models):
    """The lines of these pages, each behind its address: by GET, and forms by an empty and a forged POST too."""
    refused = InboxJob.objects.filter(error_kind="Refused").values_list("pk", flat=True)
    pages = [reverse("admin:inbox_inboxjob_change", args=[pk]) for pk in refused]
    pages += [page for model in models for page in pages_of(model)]
    answers = [(page, client.get(page)) for page in pages]
    forged = {"reason": "x", "seen": "DEAD -", "post": "yes", "open": "yes", "request_id": tracking_id(9)}
    for page in forms_of(InboxJob, OPERATIONS, "correct", "reveal") + forms_of(Packet, PACKET_ACTIONS):
        answers += [(page, answer) for answer in (client.get(page), client.post(page, {}), client.post(page, forged))]
    for model, field in ((PacketDocument, "packet"), (InboxCorrection, "job")):
        query = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field}
        answers.append(("autocomplete", client.get(reverse("admin:autocomplete"), query | {"term": "SVC"})))
    return "\n".join(f"{page} {line}" for page, answer in answers for line in answer.content.decode().split("\n"))


def errors(client, monkeypatch):
    """The pages of errors: not found, not allowed, no token, a bad request, a bug."""
    of = Packet.objects.filter(beneficiary_first_name__startswith=MARK).latest("pk")
    page = reverse("admin:packets_packet_change", args=[of.pk])
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    strict.cookies = client.cookies
    answers = [
        client.get("/nothing/"),
        client.get("/admin/packets/packet/999999/approve/"),
        client.get(reverse("admin:packets_packet_delete", args=[of.pk])),
        strict.post(page, {"case_id": "x"}),
        client.get(reverse("admin:packets_packet_changelist") + f"?case_id__startswith={MARK[0]}"),
        client.get(page, headers={"host": "elsewhere.example"}),
    ]
    with monkeypatch.context() as broken:
        broken.setattr("decisions.packet_page.admin.history", bug_of_python(ValueError(marked(of.case_id))))
        answers.append(client.get(page))
    assert [answer.status_code for answer in answers] == [404, 404, 403, 403, 400, 400, 500]
    return "\n".join(answer.content.decode() for answer in answers)


def acts(client):
    """Act on the marked case as staff: that is logged, shown among the recent actions, and said in messages."""
    of = Packet.objects.filter(beneficiary_first_name__startswith=MARK).earliest("pk")
    shown = ""
    for to in ("NON_AFFIRM", "AFFIRM"):
        address = reverse("admin:packets_packet_clinical-decision", args=[of.pk])
        context = client.get(address).context
        hidden = {name: context[name] for name in ("seen", "request_id")}
        answer = client.post(address, hidden | {"to": to, "reason": "a test"}, follow=True)
        shown += answer.content.decode()
    assert shown.count("done. The packet is at") == 2
    assert LogEntry.objects.filter(object_id=of.pk).count() == 2
    return shown


def find(text: str) -> list[str]:
    return [line[:400] for line in text.splitlines() if MARK in line]


@pytest.fixture
def boss(transactional_db):
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.mark.parametrize("log_format", ["json", "human"])
def test_no_value_of_a_message_leaves_its_place(log_format, boss, settings, monkeypatch):
    settings.INBOX_BACKOFF = (3600,)
    with lines(log_format) as told:
        intakes(), answers()
        # Payloads that break the handler and not only its rules.
        drain_all()
        with monkeypatch.context() as broken:
            broken.setattr(intake, "create_missing", bug_of_python(ValueError(marked("intake"))))
            send(portal(), tracking_id(30), channel_type_id=1), send(portal(), tracking_id(31), channel_type_id=1)
            drain_all()
        crashes()
        generator_answers(settings)
        apply(REQUEUE, InboxJob.objects.all(), who="ada", reason="a test", limit=1000)
        drain_all()
        pages(boss)
        with monkeypatch.context() as broken:
            breaking_page(boss, broken)
        reviewer = staff("reviewer", *DECIDE)
        seen = acts(reviewer)
        failed = errors(reviewer, monkeypatch)
        seen += reviewer.get("/admin/").content.decode()
        # Pages do not depend on the format of logs.
        if log_format == "json":
            seen += look_at(staff("viewer"), MODELS) + look_at(staff("operator", *OPERATE), [InboxJob, Packet])
            control = look_at(staff("who sees people", "see_people"), [Packet, PacketDocument, PacketDecision])
            for name in ("Beneficiary-Last-Name", "Facility-Provider-NPI", "packet", "file.pdf", "utn", "code"):
                assert marked(name) in control
    assert len(told) > 10
    assert Packet.objects.filter(beneficiary_first_name__startswith=MARK).exists()
    assert InboxJob.objects.filter(status="DEAD").count() > 5
    assert find("\n".join(map(str, told))) == []
    assert find(everything_kept()) == []
    assert find(failed) == []
    assert find(seen) == []
