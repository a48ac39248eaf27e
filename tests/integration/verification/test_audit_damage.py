"""Each kind of damage, made by hand in a healthy story, is found: exactly it, with its rows."""

from uuid import uuid4

import pytest

from decisions.models import PacketDecision, SendClinicalOps, SendIntegration
from inbox import registry
from inbox.engine.claim import claim as claim_jobs
from inbox.engine.prune import Batch, announce, prune
from inbox.models import InboxAudit, InboxJob, InboxWorker, PollWatermark
from packets.models import IntegrationMessage
from tests.support.audit.damage import copy, damage, disarm
from tests.support.audit.stories import found, take_in, tell_stories, tell_story
from tests.support.cases import active, chain
from tests.support.clinical import write_decision
from tests.support.drain import drain_all
from tests.support.rows import seconds_ago, send
from verification.audit.run import audit
from verification.audit.text import as_text

pytestmark = pytest.mark.django_db

INGESTED = "rows of integration_send_serviceops below the watermark without a job"
DECISION_FLAG = "rows of service_ops_send_serviceops with is_decision_ingested and without a job"
PAYLOAD_FLAG = "rows of service_ops_send_serviceops with is_payload_ingested and without a job"
MISSING = "jobs DONE whose effect is missing"
TOO_MANY = "effects of a message that are there twice, or before their job is DONE"
TWO_ACTIVE = "two active versions of one packet"
CHAIN = "gaps and forks in a chain of versions"
LETTERS = "letters twice or missing"
PAYLOADS = "payload requests twice or missing"
REVIEWS = "clinical reviews twice or missing"
STATUSES = "statuses that contradict their times"
NOBODY = "jobs claimed by nobody alive"
WATERMARK = "a watermark ahead of the clock"
LEFT_DEAD = "jobs that left DEAD without an audit entry"
IDENTITIES = "identities behind their tables"


@pytest.fixture
def told():
    """The packet of a case with its letter, amid others."""
    return tell_stories()


@pytest.fixture
def packet(told):
    """The same in a database without protections, on which no handler can work."""
    disarm()
    assert found() == {}
    return told


def claimed(packet, **claim):
    """A job of the packet that a worker has just claimed."""
    job = job_of(packet, "generate_payload")
    assert len(claim_jobs(registry.source(job.source), worker_id="w", limit=10, **claim)) == 1
    return job


def job_of(packet, message_type):
    return InboxJob.objects.get(decision_tracking_id=packet.decision_tracking_id, message_type=message_type)


def test_a_row_below_the_watermark_without_a_job(packet):
    job = job_of(packet, "intake")
    damage("DELETE FROM integration_inbox WHERE inbox_id = %(key)s", key=job.pk)
    assert found() == {INGESTED: [f"integration_send_serviceops {job.message_id}"]}


@pytest.mark.parametrize("columns", ["is_deleted = true", "created_at = now()", "created_at = 'infinity'"])
def test_a_row_without_a_job_may_be_deleted_new_or_of_the_future(packet, columns):
    job = job_of(packet, "intake")
    damage("DELETE FROM integration_inbox WHERE inbox_id = %(key)s", key=job.pk)
    damage(f"UPDATE integration_send_serviceops SET {columns} WHERE message_id = %(key)s", key=job.message_id)
    assert found() == {}


def test_a_row_whose_job_was_pruned_is_not_missing(packet):
    job = job_of(packet, "intake")
    damage("DELETE FROM integration_inbox WHERE inbox_id = %(key)s", key=job.pk)
    damage("UPDATE poll_watermark SET pruned_before = now() WHERE source = 'integration'")
    assert found() == {}


@pytest.mark.parametrize(
    ("source", "check"), [("clinical_decision", DECISION_FLAG), ("generated_payload", PAYLOAD_FLAG)]
)
def test_a_flag_that_is_up_without_a_job(packet, source, check):
    job = job_of(packet, source)
    damage("DELETE FROM integration_inbox WHERE inbox_id = %(key)s", key=job.pk)
    assert found() == {check: [f"service_ops_send_serviceops {job.message_id}, revision 1"]}


def test_a_flag_that_is_up_for_another_revision(packet):
    job = job_of(packet, "clinical_decision")
    damage(
        "UPDATE service_ops_send_serviceops SET decision_revision = 2 WHERE message_id = %(key)s", key=job.message_id
    )
    assert found() == {DECISION_FLAG: [f"service_ops_send_serviceops {job.message_id}, revision 2"]}


def test_a_job_by_flag_that_a_prune_took_is_not_missing(packet):
    """Such sources have no `pruned_before`; the prune's entry in the audit tells, here without any watermark."""
    gone = job_of(packet, "clinical_decision")
    damage("UPDATE integration_inbox SET finished_at = now() - interval '2 days' WHERE inbox_id = %(key)s", key=gone.pk)
    damage("UPDATE service_ops_send_serviceops SET updated_at = now() - interval '2 days'")
    which = {"older_than_s": 86400, "who": "ada"}
    announce(**which)
    prune(Batch("clinical_decision", [gone.pk]), **which)
    assert not InboxJob.objects.filter(pk=gone.pk).exists()
    assert not PollWatermark.objects.filter(pruned_before__isnull=False).exists()
    assert found() == {}
    damage("DELETE FROM inbox_audit WHERE verb = 'prune'")
    assert found() == {DECISION_FLAG: [f"service_ops_send_serviceops {gone.message_id}, revision 1"]}


def test_after_a_prune_only_what_is_younger_than_the_oldest_job_is_missing(packet):
    """One of two lost jobs could have been pruned; the other one is younger than a job that is still there."""
    lost, kept = job_of(packet, "clinical_decision"), job_of(packet, "generated_payload")
    damage("UPDATE poll_watermark SET pruned_before = now() - interval '1 day' WHERE source = 'integration'")
    damage("DELETE FROM integration_inbox WHERE inbox_id = %(key)s", key=lost.pk)
    of = {"row": lost.message_id, "job": kept.pk}
    damage("UPDATE integration_inbox SET finished_at = now() - interval '2 hours' WHERE inbox_id = %(job)s", **of)
    damage(
        "UPDATE service_ops_send_serviceops SET updated_at = now() - interval '3 hours' WHERE message_id = %(row)s",
        **of,
    )
    assert found() == {}
    damage(
        "UPDATE service_ops_send_serviceops SET updated_at = now() - interval '1 hour' WHERE message_id = %(row)s", **of
    )
    assert found() == {DECISION_FLAG: [f"service_ops_send_serviceops {lost.message_id}, revision 1"]}


@pytest.mark.parametrize("message_type", ["intake", "clinical_decision", "generated_payload", "utn_success"])
def test_a_job_done_without_its_effect(packet, message_type):
    job = job_of(packet, message_type)
    damage("DELETE FROM packet_event WHERE job_id = %(key)s", key=job.pk)
    assert found() == {MISSING: [f"job {job.pk} ({message_type}, DONE)"]}


@pytest.mark.parametrize("source", ["clinical_decision", "generated_payload", "integration"])
def test_an_answer_whose_message_was_lost(packet, source):
    job = job_of(packet, "utn_success" if source == "integration" else source)
    damage("DELETE FROM packet_decision_message WHERE source = %(source)s", source=source)
    assert found() == {MISSING: [f"job {job.pk} ({job.message_type}, DONE)"]}


def test_a_packet_that_was_lost(told):
    lost = take_in(9)
    disarm()
    job = job_of(lost, "intake")
    damage("DELETE FROM packet WHERE packet_id = %(key)s", key=lost.pk)
    assert found() == {MISSING: [f"job {job.pk} (intake, DONE)"]}


@pytest.mark.parametrize("message_type", ["intake", "clinical_decision", "generated_payload", "utn_success"])
def test_two_effects_of_one_message(packet, message_type):
    job = job_of(packet, message_type)
    copy("packet_event", "id", f"job_id = {job.pk}")
    assert found() == {TOO_MANY: [f"job {job.pk} ({message_type}, DONE): 2"]}


def test_a_message_that_counts_twice(packet):
    job = job_of(packet, "utn_success")
    copy("packet_decision_message", "id", "source = 'integration'")
    assert found() == {TOO_MANY: [f"job {job.pk} (utn_success, DONE): 2"]}


def test_an_effect_of_a_job_that_was_worked_on_without_its_status(packet):
    job = job_of(packet, "intake")
    damage("UPDATE integration_inbox SET status = 'NEW', finished_at = NULL WHERE inbox_id = %(key)s", key=job.pk)
    assert found() == {TOO_MANY: [f"job {job.pk} (intake, NEW): 1"]}


def test_an_effect_of_a_message_that_was_ignored(packet):
    job = job_of(packet, "intake")
    damage("UPDATE integration_inbox SET note = 'a newer one' WHERE inbox_id = %(key)s", key=job.pk)
    assert found() == {TOO_MANY: [f"job {job.pk} (intake, DONE): 1"]}


def test_two_active_versions(packet):
    first, *_, last = chain(packet)
    damage("UPDATE packet_decision SET is_active = true WHERE packet_decision_id = %(key)s", key=first.pk)
    assert found() == {
        TWO_ACTIVE: [f"packet {packet.pk}: versions {first.pk}, {last.pk}"],
        CHAIN: [f"packet {packet.pk}: an active version that another one supersedes"],
    }


def test_no_active_version(packet):
    damage("UPDATE packet_decision SET is_active = false WHERE packet_id = %(key)s", key=packet.pk)
    assert found() == {CHAIN: [f"packet {packet.pk}: no active version"]}


def test_a_version_that_was_lost(packet):
    utn_version, payload_version = chain(packet)[-1], chain(packet)[-2]
    assert utn_version.supersedes_id == payload_version.pk
    damage("DELETE FROM packet_decision WHERE packet_decision_id = %(key)s", key=payload_version.pk)
    gap = "a version whose previous one is missing, newer, or of another packet"
    assert found() == {CHAIN: [f"packet {packet.pk}: {gap}"]}


def test_two_packets_of_one_case(packet):
    second = copy("packet", "packet_id", f"packet_id = {packet.pk}", external_id="gen_random_uuid()")
    assert found() == {"two packets of one case": [f"packet {second}, of the case of packet {packet.pk}"]}


def test_a_decision_that_was_lost(packet):
    payload = job_of(packet, "generate_payload")
    damage("DELETE FROM packet_decision WHERE packet_id = %(key)s", key=packet.pk)
    assert found() == {
        "packets with answers and without a decision": [f"packet {packet.pk}"],
        "packets that people decided, without a decision": [f"packet {packet.pk}"],
        "payload requests of no decision": [f"job {payload.pk}, for version {payload.message_id}"],
        "rows of send_integration of no decision": [f"send_integration {SendIntegration.objects.get().pk}"],
        "rows of send_clinicalops of no decision": [f"send_clinicalops {SendClinicalOps.objects.get().pk}"],
    }


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ("NULL", "2 first versions"),
        ("{first}", "a version that two others supersede"),
        ("{last}", "a version whose previous one is missing, newer, or of another packet, an active version that"),
        ("{other}", "a version whose previous one is missing, newer, or of another packet"),
    ],
)
def test_a_wrong_link_between_versions(packet, link, text):
    first, *_, last = chain(packet)
    other = PacketDecision.objects.exclude(packet=packet).get()
    link = link.format(first=first.pk, last=last.pk, other=other.pk)
    damage(f"UPDATE packet_decision SET supersedes_id = {link} WHERE packet_decision_id = %(key)s", key=last.pk)
    assert found()[CHAIN][0].startswith(f"packet {packet.pk}: {text}")


def test_a_letter_that_was_lost_and_one_that_was_sent_twice(told):
    packet, another = told, tell_story(5)
    disarm()
    copy("send_integration", "message_id", f"dedupe_key = 'letter:{another.pk}:1'")
    damage("DELETE FROM send_integration WHERE dedupe_key = %(key)s", key=f"letter:{packet.pk}:1")
    assert found() == {LETTERS: [f"packet {packet.pk}, round 1: 0", f"packet {another.pk}, round 1: 2"]}


def test_a_review_that_was_lost(packet):
    SendClinicalOps.objects.filter(decision_tracking_id=packet.decision_tracking_id).delete()
    assert found() == {REVIEWS: [f"packet {packet.pk}, round 1: 0"]}


def test_a_payload_that_was_never_requested(packet):
    job = job_of(packet, "generate_payload")
    damage("DELETE FROM integration_inbox WHERE inbox_id = %(key)s", key=job.pk)
    assert found() == {PAYLOADS: [f"packet {packet.pk}, round 1, version {job.message_id}: 0"]}


def test_a_payload_that_was_requested_again_in_its_round(packet):
    version = active(packet)
    copy("integration_inbox", "inbox_id", "source = 'json_generator'", message_id=str(version.pk))
    assert found() == {PAYLOADS: [f"packet {packet.pk}, round 1, version {version.pk}: 1"]}


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ("finished_at = NULL", "DONE without finished_at"),
        ("status = 'PROCESSING', lease_id = NULL", "PROCESSING with finished_at and without a claim"),
        ("locked_at = now()", "DONE with a claim"),
        ("locked_by = 'somebody'", "DONE with a claim"),
        ("waiting_since = now()", "DONE with waiting_since"),
        ("started_at = NULL", "DONE without started_at"),
        ("status = 'WAITING', finished_at = NULL", "WAITING without waiting_since"),
        ("status = 'DEAD', finished_at = NULL", "DEAD without finished_at"),
        ("status = 'FAILED'", "FAILED with finished_at"),
    ],
)
def test_a_status_that_contradicts_its_times(packet, columns, text):
    job = InboxJob.objects.get(message_type="utn_success", status="DONE")
    damage(f"UPDATE integration_inbox SET {columns} WHERE inbox_id = %(key)s", key=job.pk)
    assert found()[STATUSES] == [f"job {job.pk}: {text}"]


def test_a_watermark_ahead_of_the_clock(packet):
    damage("UPDATE poll_watermark SET last_created_at = now() + interval '1 hour'")
    assert found() == {WATERMARK: ["integration: last_created_at"]}


def test_a_prune_ahead_of_the_clock(packet):
    damage("UPDATE poll_watermark SET pruned_before = now() + interval '1 hour'")
    assert found() == {WATERMARK: ["integration: pruned_before"]}


@pytest.mark.parametrize(
    "claim",
    ["locked_at = now() - interval '121 seconds'", "locked_at = now() + interval '1 hour'", "presence_id = 0"],
)
def test_a_job_claimed_by_nobody_alive(told, claim):
    job = claimed(told)
    assert found() == {}
    damage(f"UPDATE integration_inbox SET {claim} WHERE inbox_id = %(key)s", key=job.pk)
    assert found() == {NOBODY: [f"job {job.pk}, claimed by w"]}


def test_a_job_claimed_by_a_worker_that_is_gone(told):
    times = {"started_at": seconds_ago(300), "last_seen_at": seconds_ago(5)}
    worker = InboxWorker.objects.create(instance_id=uuid4(), worker_id="w", command="c", host="h", pid=1, **times)
    job = claimed(told, presence_id=worker.pk)
    assert found() == {}
    InboxWorker.objects.filter(pk=worker.pk).update(last_seen_at=seconds_ago(120))
    assert found() == {NOBODY: [f"job {job.pk}, claimed by w"]}


@pytest.mark.parametrize("table", ["send_integration", "send_clinicalops"])
@pytest.mark.parametrize("key", ["letter:0:1", "letter:x:y", "clinical_review:0:1", "{key}0", "no such kind", ""])
def test_an_outbox_row_of_no_decision(packet, table, key):
    model = SendIntegration if table == "send_integration" else SendClinicalOps
    row = model.objects.get()
    made = copy(table, "message_id", "true", dedupe_key=f"'{key.format(key=row.dedupe_key)}'")
    assert found() == {f"rows of {table} of no decision": [f"{table} {made}"]}


def test_an_outbox_row_of_another_case(packet):
    damage("UPDATE send_integration SET decision_tracking_id = '00000000-0000-4000-8000-999999999999'")
    assert found() == {
        "rows of send_integration of no decision": [f"send_integration {SendIntegration.objects.get().pk}"]
    }


def test_an_identity_behind_its_table(packet):
    highest = IntegrationMessage.objects.order_by("-pk").first().pk
    send({}, message_id=highest + 3, is_deleted=True)
    next_value = highest + 1
    text = f"integration_send_serviceops: the highest message_id is {highest + 3}, the next one is {next_value}"
    assert found() == {IDENTITIES: [text]}


def test_a_requeue_without_an_audit_entry(packet):
    job = InboxJob.objects.get(status="DEAD")
    assert InboxAudit.objects.filter(object=f"job:{job.pk}").count() == 1
    damage("DELETE FROM inbox_audit WHERE object = %(key)s", key=f"job:{job.pk}")
    assert found() == {LEFT_DEAD: [f"job {job.pk}, now DEAD"]}


def test_a_move_out_of_dead_by_sql(packet):
    job = InboxJob.objects.get(status="DEAD")
    damage("UPDATE integration_inbox SET status = 'NEW', finished_at = NULL WHERE inbox_id = %(key)s", key=job.pk)
    assert found() == {LEFT_DEAD: [f"job {job.pk}, now NEW"]}


def test_ten_rows_are_named_and_all_are_counted(told):
    for number in range(20, 32):
        take_in(number)
        write_decision(number)
    drain_all()
    disarm()
    lost = list(InboxJob.objects.filter(message_type="clinical_decision", note=None).order_by("pk"))
    damage("DELETE FROM packet_event WHERE job_id = ANY(%(keys)s)", keys=[job.pk for job in lost])
    [finding] = audit(since=None, say=lambda text: None, size=3)
    assert (finding.check, finding.count) == (MISSING, 13)
    assert finding.rows == [f"job {job.pk} (clinical_decision, DONE)" for job in lost[:10]]
    assert "and 3 more" in as_text([finding])


def test_since_leaves_out_what_is_older(packet):
    job = job_of(packet, "utn_success")
    damage("DELETE FROM packet_event WHERE job_id = %(key)s", key=job.pk)
    assert found(since=seconds_ago(3600)).keys() == {MISSING}
    assert found(since=seconds_ago(-3600)) == {}
