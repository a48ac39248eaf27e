"""Cases for races: packets, what people decide, a session's work on messages, and what became of it.

A race that is `tidy` leaves no jobs and messages, so that each round finds only its own.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial, wraps
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, transaction

from decisions.case import Case
from decisions.codes import DenialReason
from decisions.errors import DecisionRefused
from decisions.models import ClinicalOpsMessage, PacketDecision
from decisions.staff.dismiss import dismiss
from decisions.versions import next_version, write_versions
from inbox import registry
from inbox.api import ByWatermark
from inbox.db.errors import is_connection_lost, is_deadlock
from inbox.engine.claim import claim
from inbox.engine.ingest import ingest, ingest_named
from inbox.engine.work import work
from inbox.job_counts import JobCounts
from inbox.models import InboxJob
from packets.codes import Channel
from packets.models import IntegrationMessage, Packet, PacketEvent
from packets.open_packet import open_packet
from verification.proof.stage import Result, Stage
from verification.row import Race
from verification.scenes import SOURCE, new_tracking_id

COMMIT = "verification.cases:committing"


class NotSet(Exception):
    """The race is not set as it must be."""


def tidy(race: Race) -> Race:
    """The race, before and after which the messages of cases and the jobs of the product's own sources are removed."""

    @wraps(race)
    def run(stage: Stage) -> list[str]:
        # One that broke off may have left some.
        _clear()
        broken = race(stage)
        _clear()
        return broken

    return run


def _clear() -> None:
    InboxJob.objects.exclude(source=SOURCE.name).delete()
    IntegrationMessage.objects.all().delete()
    ClinicalOpsMessage.objects.all().delete()


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


def jobs_after_ingest(source: registry.Source, message_id: int) -> int:
    """How many jobs this message has, once the source has been ingested."""
    ingest(source)
    return jobs_of(source.name, message_id).count()


def in_transaction(step: Callable[..., Any], *args: Any, **options: Any) -> Callable[[], Any]:
    """A step that does this in one transaction, and comes to the gate COMMIT before it commits."""

    def act() -> Any:
        with transaction.atomic():
            value = step(*args, **options)
            committing()
        return value

    act.__qualname__ = f"{step.__name__} in a transaction"
    return act


def anew(step: Callable[[], Any]) -> Callable[[], Any]:
    """The step, in a new connection of its session."""

    def act() -> Any:
        connection.close()
        return step()

    act.__qualname__ = f"connect anew, {getattr(step, '__qualname__', 'work')}"
    return act


def committing() -> None:
    """The place of the gate COMMIT."""


def work_off(source: registry.Source) -> None:
    """Ingest and work until nothing of the source is due."""
    ingest(source)
    while claimed := claim(source, worker_id="verify", limit=200):
        work(claimed)


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
    """Kill a session that is held at a gate; its step ends there. Raises NotSet if it goes on."""
    stage.kill(name)
    stage.go(name)
    error = stage.end(name).error
    if error is None or not is_connection_lost(error):
        raise NotSet(f"session {name} was killed, and ended with {error}")


def faults_of(packet: Packet) -> list[str]:
    """Faults in the chain of the packet's versions, which has one end that is active, and no fork."""
    versions = list(PacketDecision.objects.filter(packet=packet).order_by("pk"))
    if not versions:
        return []
    broken = []
    if (count := sum(version.is_active for version in versions)) != 1:
        broken.append(f"packet {packet.pk} has {count} active versions")
    heirs = Counter(version.supersedes_id for version in versions)
    broken += [f"{times} versions follow version {pk or 'none'}" for pk, times in heirs.items() if times > 1]
    return broken


def race_to_create(stage: Stage, tracking_id: UUID, newest: int, gate: str, *steps: Callable[[], Any]) -> list[str]:
    """Faults in the packet of this case after both steps, one_after_the_other."""
    results = one_after_the_other(stage, *steps, gate=gate)
    return errors_of(*results) + faults_of_creation(tracking_id, newest)


def faults_of_creation(tracking_id: UUID, newest: int) -> list[str]:
    """Faults, unless the case has one packet, created once, of its newest intake, and all its jobs are DONE."""
    packets = Packet.objects.filter(decision_tracking_id=tracking_id)
    broken = [f"{len(packets)} packets of one case"] if len(packets) != 1 else []
    if any(packet.intake_message_id != newest for packet in packets):
        broken.append("the packet does not follow the newest intake")
    if (created := PacketEvent.objects.filter(packet__in=packets, what=PacketEvent.What.CREATED).count()) != 1:
        broken.append(f"created {created} times")
    undone = InboxJob.objects.filter(decision_tracking_id=tracking_id).exclude(status="DONE")
    return broken + [f"the job of an intake is {job.status}: {job.error_kind}" for job in undone]


def second_is_told(packet: Packet, first: Result, second: Result) -> list[str]:
    """Broken promises after two have decided one after the other: the second must have met a refusal in words."""
    broken = faults_of(packet) + errors_of(first)
    if second.error is None:
        broken.append("the second decided, too")
    return broken + ([] if isinstance(second.error, DecisionRefused) else errors_of(second))


def other_than(wanted: Any, name: str, found: Any) -> list[str]:
    """A broken promise, if something else was found than wanted."""
    return [] if found == wanted else [f"{name}: {found} instead of {wanted}"]


def errors_of(*results: Result) -> list[str]:
    """The errors of steps that the database or a rule refused. Raises any other error: the race could not run."""
    errors = [result.error for result in results if result.error]
    for error in errors:
        if not isinstance(error, IntegrityError | DecisionRefused) and not is_deadlock(error):
            raise error
    return [f"{type(error).__name__}: {str(error).partition(chr(10))[0]}" for error in errors]


def write_without_lock(packet: Packet) -> None:
    """Write a version without the lock of the packet, as no code of the product does."""
    with transaction.atomic():
        write_versions([next_version(Case(packet, active(packet)), by="a program", correlation_id=uuid4())])
