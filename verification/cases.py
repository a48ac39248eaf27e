"""Cases for races: packets, what people decide, and messages with a session's work on them. All values are synthetic.

`end_cases` removes the jobs and messages of a round, so that the next one finds only its own.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from decisions.case import Case
from decisions.codes import DenialReason
from decisions.errors import DecisionRefused
from decisions.models import ClinicalOpsMessage, PacketDecision
from decisions.staff.dismiss import dismiss
from decisions.versions import next_version, write_versions
from inbox import registry
from inbox.api import ByWatermark
from inbox.engine.claim import claim
from inbox.engine.ingest import ingest, ingest_named
from inbox.engine.work import work
from inbox.job_counts import JobCounts
from inbox.models import InboxJob
from packets.codes import Channel
from packets.models import IntegrationMessage, Packet, PacketEvent
from packets.open_packet import open_packet
from packets.samples.shapes import esmd
from verification.proof.stage import Result, Stage
from verification.scenes import SOURCE, new_tracking_id

COMMIT = "verification.cases:committing"


class NotSet(Exception):
    """The race is not set as it must be."""


def new_packet() -> Packet:
    """A packet without a decision, as staff open it."""
    opened, _ = open_packet(new_tracking_id(), channel=Channel.ESMD, by="ada", reason="a proof")
    return Packet.objects.get(pk=opened.pk)


def active(packet: Packet) -> PacketDecision | None:
    """The active version of the packet's decision."""
    return PacketDecision.objects.filter(packet=packet, is_active=True).first()


def deciding(
    verb: Callable[..., PacketDecision], packet: Packet, *, by: str = "ada", **options: Any
) -> Callable[[], PacketDecision]:
    """A step in which `by` decides, who has seen the version that is active now. Raises DecisionRefused."""
    version = active(packet)
    seen = version.pk if version else None
    request = {"by": by, "reason": "a proof", "correlation_id": uuid4(), "seen": seen} | options

    def decide() -> PacketDecision:
        with transaction.atomic():
            return verb(packet.pk, **request)

    # So the graph of the race names it.
    decide.__qualname__ = f"{verb.__name__} by {by}"
    return decide


def dismissing(packet: Packet, *, by: str = "ada") -> Callable[[], PacketDecision]:
    """A step in which `by` dismisses the packet, as `deciding`."""
    details = {"reason": "TEST"}
    return deciding(dismiss, packet, by=by, denial_reason=DenialReason.OTHER, denial_details=details)


def send_intake(tracking_id: UUID, *, second: float = 0) -> int:
    """A row of Integration, written at a second of the case's story; returns its message_id."""
    payload = esmd(Random(second), tracking_id)  # noqa: S311 not a secret
    row = IntegrationMessage.objects.create(
        decision_tracking_id=tracking_id, payload=payload, channel_type_id=Channel.ESMD, created_at=_at(second)
    )
    return row.pk


def write_answer(packet: Packet, indicator: str, *, second: float = 0) -> int:
    """A row of ClinicalOps that affirms (A) or does not (N), at a second of the story; returns its message_id."""
    row = ClinicalOpsMessage.objects.create(
        decision_tracking_id=packet.decision_tracking_id, created_at=_at(second), **_answer(indicator)
    )
    return row.pk


def rewrite_answer(message_id: int, indicator: str) -> None:
    """Correct the answer in a row, as ClinicalOps does."""
    ClinicalOpsMessage.objects.filter(pk=message_id).update(**_answer(indicator))


def _answer(indicator: str) -> dict[str, Any]:
    return {"clinical_ops_decision_json": {"decision_indicator": indicator}}


def write_payload(packet: Packet, indicator: str, *, second: float = 0) -> int:
    """A row of the JSON Generator: the payload for such an answer was sent; returns its message_id."""
    payload = {"partType": "B", "esmdTransactionId": "TXN-FAKE-0001", "procedures": [{"decisionIndicator": indicator}]}
    row = ClinicalOpsMessage.objects.create(
        decision_tracking_id=packet.decision_tracking_id,
        created_at=_at(second),
        json_sent_to_integration=True,
        payload=payload,
    )
    return row.pk


def _at(second: float) -> Any:
    return timezone.now() - timedelta(seconds=3600 - second)


def working_on(source: str, *message_ids: int, worker_id: str = "verify") -> Callable[[], JobCounts]:
    """A step that works on the newest jobs of these messages, which are ingested and claimed now. Raises NotSet."""
    from_where = registry.source(source)
    if isinstance(from_where.reads, ByWatermark):
        ingest_named(from_where, from_where.reads, message_ids)
    else:
        ingest(from_where)
    claimed = claim(from_where, worker_id=worker_id, limit=200)
    wanted = {jobs_of(source, message_id).last().pk for message_id in message_ids}
    if set(claimed.all_inbox_ids) != wanted:
        raise NotSet(f"{len(claimed)} jobs of {source} are due, not those of these messages")
    return partial(work, claimed)


def in_transaction(step: Callable[..., Any], *args: Any, **options: Any) -> Callable[[], Any]:
    """A step that does this in one transaction, and comes to the gate COMMIT before it commits."""

    def act() -> Any:
        with transaction.atomic():
            value = step(*args, **options)
            committing()
        return value

    act.__qualname__ = f"{step.__name__} in a transaction"
    return act


def committing() -> None:
    """The place of the gate COMMIT."""


def work_off(source: registry.Source) -> None:
    """Ingest and work until nothing of the source is due, and remove its jobs and messages."""
    ingest(source)
    while claimed := claim(source, worker_id="verify", limit=200):
        work(claimed)
    end_cases()


def jobs_of(source: str, message_id: int) -> Any:
    """The jobs of a message, by revision."""
    return InboxJob.objects.filter(source=source, message_id=message_id).order_by("revision")


def one_after_the_other(
    stage: Stage, first: Callable[[], Any], second: Callable[[], Any], *, gate: str
) -> tuple[Result, Result]:
    """A takes its step up to the gate, B takes its own as far as it gets, and A goes on; returns both results."""
    with stage.hold(gate, only=("A",)):
        stage.start("A", first)
        stage.start("B", second)
        stage.go("A")
    return stage.end("A"), stage.end("B")


def die(stage: Stage, name: str) -> None:
    """Kill a session that is held at a gate; its step ends there."""
    stage.kill(name)
    stage.go(name)
    stage.end(name)


def faults_of(packet: Packet) -> list[str]:
    """What is wrong with the chain of the packet's versions: it has one end, which is active, and no fork."""
    versions = list(PacketDecision.objects.filter(packet=packet).order_by("pk"))
    if not versions:
        return []
    broken = []
    if (count := sum(version.is_active for version in versions)) != 1:
        broken.append(f"packet {packet.pk} has {count} active versions")
    heirs = Counter(version.supersedes_id for version in versions)
    broken += [f"{times} versions follow version {pk or 'none'}" for pk, times in heirs.items() if times > 1]
    return broken


def faults_of_creation(tracking_id: UUID, newest: int) -> list[str]:
    """What is wrong unless the case has one packet, created once, of its newest intake, and all its jobs are DONE."""
    packets = Packet.objects.filter(decision_tracking_id=tracking_id)
    broken = [f"{len(packets)} packets of one case"] if len(packets) != 1 else []
    if any(packet.intake_message_id != newest for packet in packets):
        broken.append("the packet does not follow the newest intake")
    if (created := PacketEvent.objects.filter(packet__in=packets, what=PacketEvent.What.CREATED).count()) != 1:
        broken.append(f"created {created} times")
    undone = InboxJob.objects.filter(decision_tracking_id=tracking_id).exclude(status="DONE")
    return broken + [f"the job of an intake is {job.status}: {job.error_kind}" for job in undone]


def second_is_told(packet: Packet, first: Result, second: Result) -> list[str]:
    """What is wrong after two have decided one after the other: the second must have met a refusal in words."""
    broken = faults_of(packet) + errors_of(first)
    if second.error is None:
        broken.append("the second decided, too")
    return broken + ([] if isinstance(second.error, DecisionRefused) else errors_of(second))


def other_than(wanted: Any, name: str, found: Any) -> list[str]:
    """A broken promise, if something else was found than wanted."""
    return [] if found == wanted else [f"{name}: {found} instead of {wanted}"]


def errors_of(*results: Result) -> list[str]:
    """The errors that these steps met, in the first line of their texts."""
    errors = [result.error for result in results if result.error]
    return [f"{type(error).__name__}: {str(error).partition(chr(10))[0]}" for error in errors]


def write_without_lock(packet: Packet) -> None:
    """Write a version without the lock of the packet, as no code of the product does."""
    with transaction.atomic():
        write_versions([next_version(Case(packet, active(packet)), by="a program", correlation_id=uuid4())])


def end_cases() -> None:
    """Remove the messages of this round, and the jobs of the product's own sources."""
    InboxJob.objects.exclude(source=SOURCE.name).delete()
    IntegrationMessage.objects.all().delete()
    ClinicalOpsMessage.objects.all().delete()
