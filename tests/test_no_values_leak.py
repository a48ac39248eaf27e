"""Marked values go through every path, and none is found in a log, an error text, a note, a metric or the audit."""

import json

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from inbox import registry
from inbox.models import InboxAudit, InboxJob, InboxTally, InboxWorker, PollWatermark, SourcePause
from inbox.requeue import requeue
from inbox.work import work
from inbox.worker import Worker
from packets.intake import handler as intake
from packets.models import Packet
from tests.clinical import decision, payload, write
from tests.drain import drain_all
from tests.outbound import Service, outbound_source, outbound_worker
from tests.probe import claim_all, many_jobs, probe_source
from tests.rows import document, esmd, send, tracking_id
from tests.test_generate_payload import answering, job_for
from tests.test_generate_payload import decision as version
from tests.test_logs import lines

pytestmark = pytest.mark.django_db(transaction=True)

MARK = "MARKED"


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
        assert work(claim_all(probe_source(bug), limit=1))["FAILED"] == 1
    InboxJob.objects.create(source="test", message_type="probe", message_id=900)
    service = Service({900: bug_of_python(RuntimeError(marked("call")))}, is_open=True)
    outbound_worker(outbound_source(service), worker_id="caller").once()


def generator_answers(settings) -> None:
    """What the JSON Generator says, when it refuses and when it breaks, with values in it."""
    settings.JSON_GENERATOR_READ_TIMEOUT, settings.JSON_GENERATOR_TOTAL_TIMEOUT = 0.3, 0.8
    generator = registry.source("json_generator")
    # Those of the cases above; some need no question.
    InboxJob.objects.filter(source="json_generator").delete()
    for number, status in enumerate((400, 422, 500, 302, 503), start=100):
        head = f"HTTP/1.1 {status} {MARK}\r\nLocation: /{MARK}\r\nContent-Length: %d\r\n\r\n".encode()
        # What it says when it refuses is kept with the job, for the person who has to act on it; no log has it.
        body = "no such decision" if 400 <= status < 500 else f"{MARK} is no NPI"
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


def everything_kept() -> str:
    """All rows of the engine's own tables, and what machines and people are shown of them."""
    told = []
    for model in (InboxJob, InboxAudit, InboxWorker, InboxTally, SourcePause, PollWatermark):
        told += [f"{model.__name__} {row}" for row in model.objects.values()]
    boss = Client()
    boss.force_login(User.objects.get(username="boss"))
    for path in ("/metrics", "/admin/", "/admin/inbox/inboxjob/", "/readyz"):
        told.append(boss.get(path).content.decode())
    return "\n".join(told)


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
        requeue(InboxJob.objects.all(), who="ada", reason="a test", limit=1000)
        drain_all()
        pages(boss)
        with monkeypatch.context() as broken:
            breaking_page(boss, broken)
    assert len(told) > 10
    assert Packet.objects.filter(beneficiary_first_name__startswith=MARK).exists()
    assert InboxJob.objects.filter(status="DEAD").count() > 5
    assert find("\n".join(map(str, told))) == []
    assert find(everything_kept()) == []
