"""Who may do and see what on the packet page; a superuser everything."""

from typing import Any

DECIDE = "decisions.decide_packet"
MOVE = "decisions.move_packet"


def sees_decisions(user: Any) -> bool:
    """True for whoever may read decisions, or make them."""
    return user.has_perm("decisions.view_packetdecision") or user.has_perm(DECIDE)


def sees_events(user: Any) -> bool:
    """True for whoever may read the events of packets, or cause them."""
    return user.has_perm("packets.view_packetevent") or user.has_perm(DECIDE) or user.has_perm(MOVE)
