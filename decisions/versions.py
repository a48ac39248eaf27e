"""Versions of a decision: append-only, one active per packet, each linked to the one before.

A version copies every field that it does not change. The caller holds the lock of the packet (decisions/case.py); the
partial unique index enforces it, too.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from decisions.case import Case
from decisions.codes import ClinicalDecision, DecisionType, EsmdRequestStatus, OperationalDecision, UtnStatus
from decisions.models import PacketDecision

# Every other field is copied from the version before.
NOT_COPIED = frozenset(["packet_decision_id", "is_active", "supersedes", "correlation_id", "created_by", "created_at"])
COPIED = tuple(field.attname for field in PacketDecision._meta.concrete_fields if field.name not in NOT_COPIED)

# A first version names them all: Python would not learn what the database fills in.
BEGINNING: dict[str, Any] = {
    "decision_type": DecisionType.APPROVE,
    "operational_decision": OperationalDecision.PENDING,
    "clinical_decision": ClinicalDecision.PENDING,
    "esmd_request_status": EsmdRequestStatus.NOT_SENT,
    "utn_status": UtnStatus.NONE,
    "requires_utn_fix": False,
    "decision_round": 1,
}


def next_version(case: Case, *, by: str, correlation_id: UUID, **changes: Any) -> PacketDecision:
    """An unsaved version: the active one with these changes, or a first one, also after a reopened dismissal."""
    active = case.active
    if active is None:
        copied: dict[str, Any] = {"packet_id": case.packet.pk, **BEGINNING}
    elif not has_decision(case):
        copied = {"packet_id": case.packet.pk, **BEGINNING, "decision_round": active.decision_round + 1}
    else:
        copied = {name: getattr(active, name) for name in COPIED}
    return PacketDecision(
        **copied | changes,
        is_active=True,
        supersedes_id=active.pk if active else None,
        correlation_id=correlation_id,
        created_by=by,
    )


def has_decision(case: Case) -> bool:
    """True if the case has a decision; a reopened dismissal is none."""
    active = case.active
    return active is not None and not (
        active.decision_type == DecisionType.DISMISSAL and active.operational_decision == OperationalDecision.PENDING
    )


def write_versions(versions: Sequence[PacketDecision]) -> None:
    """Make these the active versions of their packets, at most one each; sets their keys."""
    retired = [version.supersedes_id for version in versions if version.supersedes_id is not None]
    PacketDecision.objects.filter(pk__any_of=retired).update(is_active=False)
    PacketDecision.objects.bulk_create(versions)
