"""Cases for tests of decisions: packets, what messages say of them, and what became of them."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, transaction

from decisions.case import lock_case
from decisions.messages.apply import apply_messages
from decisions.messages.case_update import NewMessage
from decisions.models import DecisionMessage, PacketDecision
from decisions.staff.approve import approve
from inbox.models import InboxJob
from packets.models import Packet
from tests.support.rows import seconds_ago, send, tracking_id

BY = {"by": "ada", "reason": "a test"}


def packet(number: int = 1, **fields) -> Packet:
    """A packet as an intake makes it."""
    created = Packet.objects.create(decision_tracking_id=tracking_id(number), channel_type_id=3, **fields)
    created.refresh_from_db()
    return created


def decided(verb, of: Packet, **options) -> PacketDecision:
    """Apply a person's verb in a transaction of its own, as seen from the present version; returns the version made."""
    options = {"correlation_id": uuid4(), "seen": active_key(of), **BY} | options
    with transaction.atomic():
        return verb(of.pk, **options)


def approved(number: int = 1) -> Packet:
    """A packet that a person has approved."""
    made = packet(number)
    decided(approve, made)
    return fresh(made)


def answer(of: Packet, content: dict, *, kind="clinical", second: float = 0, message_id: int = 1, revision: int = 1):
    """Handle one message of the case, said at a second of its story; returns why it was ignored."""
    [reason] = answers(of, [clinical(content, kind=kind, second=second, message_id=message_id, revision=revision)])
    return reason


def clinical(content, *, kind="clinical", second=0.0, message_id=1, revision=1):
    """One message of a case, said at a second of its story; not stored."""
    said_at = seconds_ago(3600) + timedelta(seconds=second)
    return DecisionMessage(
        kind=kind,
        source="test",
        message_id=message_id,
        revision=revision,
        created_at=said_at,
        said_at=said_at,
        content=content,
    )


def answers(of: Packet, messages) -> list[str | None]:
    """Handle these messages of one case in one transaction."""
    with transaction.atomic():
        case = lock_case(of.pk)
        for message in messages:
            message.packet = case.packet
        new = [NewMessage(case, message, job_id=message.message_id) for message in messages]
        apply_messages(new)
        return [item.why_ignored for item in new]


def affirmed(number: int = 1) -> Packet:
    """A packet with a clinical answer."""
    made = approved(number)
    assert answer(made, {"answer": "AFFIRM"}, message_id=number) is None
    return fresh(made)


def active(of: Packet) -> PacketDecision | None:
    """The active version of the packet."""
    return PacketDecision.objects.filter(packet=of, is_active=True).first()


def payload_of(version: PacketDecision) -> dict | None:
    """The payload that the version names by its digest, from the message that holds it."""
    found = DecisionMessage.objects.filter(
        packet_id=version.packet_id, content__payload_digest=version.esmd_payload_digest
    )
    return found.latest("pk").payload if version.esmd_payload_digest else None


def version_by_sql(of: Packet, **columns: Any) -> None:
    """A version that another program has made the active one."""
    before = active(of)
    row: dict[str, Any] = {"packet_id": of.pk, "decision_type": "APPROVE", "created_by": "elsewhere"} | columns
    if before:
        row["supersedes_id"] = before.pk
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE packet_decision SET is_active = false WHERE packet_id = %s AND is_active", [of.pk])
        cursor.execute(
            f"INSERT INTO packet_decision ({names}, correlation_id) VALUES ({places}, gen_random_uuid())",
            [*row.values()],
        )


def active_key(of: Packet) -> int | None:
    """The key of the active version, as a form says what was seen."""
    version = active(of)
    return version.pk if version else None


def fresh(of: Packet) -> Packet:
    """The packet as it is now."""
    return Packet.objects.get(pk=of.pk)


def chain(of: Packet) -> list[PacketDecision]:
    """The versions from first to active, by their links; fails if there is a gap, a fork or a second active one."""
    versions = list(PacketDecision.objects.filter(packet=of).order_by("pk"))
    by_predecessor = {version.supersedes_id: version for version in versions}
    assert len(by_predecessor) == len(versions), "two versions supersede the same one"
    linked, key = [], None
    while version := by_predecessor.get(key):
        linked.append(version)
        key = version.pk
    assert len(linked) == len(versions), "a version is not linked"
    assert [version.is_active for version in linked] == [False] * (len(linked) - 1) + [True] * bool(linked)
    return linked


def utn(number: int = 1, text: str = "UTN-FAKE-000001", **columns) -> int:
    """Send a UTN; returns its message_id."""
    return send({"message_type": "UTN", "unique_tracking_number": text}, tracking_id(number), **columns)


def utn_fail(number: int = 1, code: str = "E1", **columns) -> int:
    """Send a UTN failure; returns its message_id."""
    payload = {"message_type": "UTN_FAIL", "error_code": code, "error_description": "TEST", "action_required": "TEST"}
    return send(payload, tracking_id(number), **columns)


def statuses(source: str = "integration") -> dict[int, str]:
    """The status of each job of the source, by message_id."""
    return dict(InboxJob.objects.filter(source=source).values_list("message_id", "status"))
