"""The fields that a version of a decision changed. Every field that a version copies is compared."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import models
from django.db.models.functions import MD5, Cast, Coalesce
from django.utils.text import Truncator

from decisions.models import PacketDecision
from decisions.versions import BEGINNING, COPIED
from inbox.admin_pages.columns import time_text

MAX_VALUE_LENGTH = 200
NOTHING = "—"
# A payload is shown as changed, no more. Versions of earlier releases hold theirs, and only its digest is fetched: a
# chain of payloads can be megabytes.
PAYLOAD = "esmd_request_payload"
PAYLOAD_DIGEST = "payload_digest"
STORED_DIGEST = "esmd_payload_digest"
NOT_COMPARED = ("packet_id", STORED_DIGEST)
# A first version shows its decisions, and whatever differs from how versions begin.
DECISIONS = ("decision_type", "operational_decision", "clinical_decision")
FIRST: Mapping[str, Any] = {name: value for name, value in BEGINNING.items() if name not in DECISIONS}


class Change(NamedTuple):
    """A field, and its values before and after as texts; both None if only the fact is shown."""

    field: str
    before: str | None
    after: str | None


def comparable(versions: models.QuerySet[PacketDecision]) -> models.QuerySet[PacketDecision]:
    """The versions with what `changes` needs, and without payloads."""
    digest = Coalesce(STORED_DIGEST, MD5(Cast(PAYLOAD, models.TextField())))
    return versions.defer(PAYLOAD).annotate(**{PAYLOAD_DIGEST: digest})


def changes(before: PacketDecision | None, after: PacketDecision, withheld: Collection[str] = ()) -> list[Change]:
    """The fields in which `after` differs from the version before it, in the model's order; both `comparable`.

    For `withheld` fields it says only that they changed.
    """
    changed = []
    for field in PacketDecision._meta.concrete_fields:
        if field.attname not in COPIED or field.attname in NOT_COMPARED:
            continue
        name = PAYLOAD_DIGEST if field.name == PAYLOAD else field.name
        old = getattr(before, name) if before else FIRST.get(name)
        new = getattr(after, name)
        if old != new:
            is_shown = field.name != PAYLOAD and field.name not in withheld
            shown = (_text(old), _text(new)) if is_shown else (None, None)
            changed.append(Change(str(field.verbose_name), *shown))
    return changed


def _text(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return time_text(value) or NOTHING
    if isinstance(value, dict):
        text = "; ".join(f"{name}: {_items(item)}" for name, item in value.items())
    else:
        text = _items(value)
    return Truncator(text).chars(MAX_VALUE_LENGTH)


def _items(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
