"""The history of a packet as its page shows it: decision versions and events, oldest first, in four queries or fewer.

Only the newest LIMIT of each are shown; lists of their own show the rest.
"""

from collections.abc import Collection
from typing import NamedTuple

from decisions.models import PacketDecision
from decisions.packet_page.changes import Change, changes, comparable
from packets.models import Packet, PacketEvent

LIMIT = 100


class Step(NamedTuple):
    """A version, what it changed, and why."""

    version: PacketDecision
    changes: list[Change]
    reason: str | None


class History(NamedTuple):
    """What happened; `has_earlier_…` if there is more than this."""

    steps: list[Step]
    has_earlier_steps: bool
    events: list[PacketEvent]
    has_earlier_events: bool


def history(packet: Packet, withheld: Collection[str] = ()) -> History:
    """Read the packet's history; the values of `withheld` fields are left out."""
    # One more than LIMIT: to compare the first with, and to know that there are earlier ones.
    versions = list(comparable(PacketDecision.objects.filter(packet=packet)).order_by("-pk")[: LIMIT + 1])[::-1]
    events = list(PacketEvent.objects.filter(packet=packet).order_by("-pk")[: LIMIT + 1])[::-1]
    # Both have the time of their transaction, which makes at most one version of a packet.
    deciding = (PacketEvent.What.DECIDED, PacketEvent.What.ANSWERED)
    reasons = {event.at: event.reason for event in events if event.what in deciding}
    steps = [
        Step(version, changes(before, version, withheld), reasons.get(version.created_at))
        for before, version in zip([None, *versions], versions, strict=False)
    ]
    return History(steps[-LIMIT:], len(steps) > LIMIT, events[-LIMIT:], len(events) > LIMIT)
