"""A generated payload is stored once, beside its message; versions carry its digest, and are small."""

import json
import random
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from decisions.models import DecisionMessage, PacketDecision
from decisions.packet_page.changes import changes, comparable
from tests.support.cases import active, affirmed, answer, chain, payload_of, utn, version_by_sql
from tests.support.clinical import payload, write, write_payload
from tests.support.drain import drain_all

pytestmark = pytest.mark.django_db(transaction=True)

SENT = {"is_sent": True, "answer": "AFFIRM", "subtype": "STANDARD_PA", "part_type": "B", "error": None}


def payload_messages():
    return DecisionMessage.objects.filter(kind="payload")


def test_a_version_is_small_whatever_the_payload_and_a_utn_does_not_read_it():
    case = affirmed()
    # Random, as the database compresses what repeats.
    large = payload(padding=random.Random(1).randbytes(50_000).hex())
    write(json_sent_to_integration=True, payload=large)
    drain_all()
    assert payload_of(active(case)) == large
    utn()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        drain_all()
    assert active(case).esmd_request_status == "ACKED"
    reads = [query["sql"] for query in asked if "packet_decision_message" in query["sql"]]
    assert reads
    assert not [sql for sql in reads if '"packet_decision_message"."payload"' in sql]
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(pg_column_size(version.*)) FROM packet_decision AS version")
        assert cursor.fetchone()[0] < 1000
    assert payload_messages().get().payload == large


def test_the_same_payload_in_another_order_is_the_same():
    case = affirmed()
    answer(case, {"answer": "AFFIRM"}, message_id=2)
    write_payload()
    drain_all()
    versions = len(chain(case))
    write(json_sent_to_integration=True, payload=dict(reversed(payload().items())))
    drain_all()
    assert payload_messages().count() == 2
    assert len(chain(case)) == versions
    write(json_sent_to_integration=True, payload=payload(documentation=["fake/other.pdf"]))
    drain_all()
    assert len(chain(case)) == versions + 1
    assert payload_of(active(case)) == payload(documentation=["fake/other.pdf"])


@pytest.mark.parametrize("number", [1, 2])
def test_a_payload_that_the_previous_release_has_kept_stays_where_it_was(number):
    """In the content of its message, and in each version, which counts where it says something else."""
    case = affirmed()
    said = {"part_type": "B", "decision_subtype": "STANDARD_PA", "esmd_request_status": "SENT"}
    answer(case, SENT | {"payload": {"a": 1}}, kind="payload", second=1, message_id=2)
    version_by_sql(case, clinical_decision="AFFIRM", esmd_request_payload=json.dumps({"a": number}), **said)
    utn()
    drain_all()
    version = active(case)
    assert (version.utn_status, version.esmd_request_payload, version.esmd_payload_digest) == (
        "SUCCESS",
        {"a": number},
        None,
    )
    # A version that contradicts the message adds one.
    assert payload_messages().count() == number


def test_a_utn_leaves_alone_the_payload_that_sql_has_put_back():
    case = affirmed()
    write_payload()
    drain_all()
    first = active(case).esmd_payload_digest
    write(json_sent_to_integration=True, payload=payload(documentation=["fake/other.pdf"]))
    drain_all()
    assert active(case).esmd_payload_digest != first
    said = {"part_type": "B", "decision_subtype": "STANDARD_PA", "esmd_request_status": "SENT"}
    version_by_sql(case, clinical_decision="AFFIRM", esmd_payload_digest=first, **said)
    utn()
    drain_all()
    assert (active(case).utn_status, active(case).esmd_payload_digest) == ("SUCCESS", first)


def test_a_version_that_the_previous_release_makes_during_an_upgrade_loses_no_payload():
    """It copies no digest, as it does not know that column."""
    case = affirmed()
    write_payload()
    drain_all()
    kept = payload_messages().get()
    said = {"part_type": "B", "decision_subtype": "STANDARD_PA", "esmd_request_status": "ACKED"}
    version_by_sql(case, clinical_decision="AFFIRM", utn_status="SUCCESS", utn="UTN-FAKE-1", **said)
    utn(text="UTN-FAKE-2")
    drain_all()
    version = active(case)
    assert (version.utn, version.esmd_payload_digest) == ("UTN-FAKE-2", kept.content["payload_digest"])
    assert payload_messages().get() == kept


def test_the_page_of_a_version_leads_to_its_payload(client):
    case = affirmed()
    for name in ("FIRST", "SECOND"):
        write(json_sent_to_integration=True, payload=payload(documentation=[f"fake/{name}.pdf"]))
        drain_all()
    links = [
        reverse("admin:decisions_decisionmessage_change", args=[message.pk])
        for message in payload_messages().order_by("pk")
    ]
    leads_to = []
    for of in PacketDecision.objects.filter(packet=case).order_by("pk"):
        page = client.get(reverse("admin:decisions_packetdecision_change", args=[of.pk])).content.decode()
        leads_to.append([link for link in links if link in page])
    assert leads_to == [[], [], links[:1], links[1:]]
    assert "FIRST" not in client.get(links[0]).content.decode()
    revealed = client.post(
        reverse("admin:decisions_decisionmessage_reveal", args=[payload_messages().earliest("pk").pk])
    )
    assert "FIRST" in revealed.content.decode()


def test_the_history_tells_of_another_payload_and_reads_none():
    case = affirmed()
    for name in ("first", "other"):
        write(json_sent_to_integration=True, payload=payload(documentation=[f"fake/{name}.pdf"]))
        drain_all()
    utn()
    drain_all()
    versions = list(comparable(PacketDecision.objects.filter(packet=case)).order_by("pk"))
    told = [changes(*pair) for pair in pairwise(versions)]
    assert [("esmd request payload", None, None) in changed for changed in told] == [False, True, True, False]
    assert all(version.get_deferred_fields() == {"esmd_request_payload"} for version in versions)
