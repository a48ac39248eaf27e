"""The permissions of the packet page. A superuser has all of them."""

from typing import Any

DECIDE = "decisions.decide_packet"
MOVE = "decisions.move_packet"


def sees_decisions(user: Any) -> bool:
    """True for users who may read decisions or make them."""
    return user.has_perm("decisions.view_packetdecision") or user.has_perm(DECIDE)


def sees_events(user: Any) -> bool:
    """True for users who may read the events of packets or cause them."""
    return user.has_perm("packets.view_packetevent") or user.has_perm(DECIDE) or user.has_perm(MOVE)
