"""Protections that can be taken away, one at a time. The chaos test must turn red for each.

`verification.protections` has them, for `verify_locks` too. Taking one out changes the engine of this process only.
"""

from contextlib import ExitStack

from tests.chaos.domain.mutants import MUTANTS as OF_DOMAIN
from verification.protections.effects import EFFECTS_OUTSIDE
from verification.protections.ingest import LOOKBACK_OFF, WATERMARK_PER_COLUMN
from verification.protections.lease import NO_LEASE_CHECK, OWNER_AND_ATTEMPT
from verification.protections.reclaim import RECLAIM_WAITS
from verification.protections.wake import CLOCK

MUTANTS = {
    protection.name: protection
    for protection in (
        NO_LEASE_CHECK,
        OWNER_AND_ATTEMPT,
        EFFECTS_OUTSIDE,
        LOOKBACK_OFF,
        WATERMARK_PER_COLUMN,
        RECLAIM_WAITS,
        CLOCK,
        *OF_DOMAIN,
    )
}

# Held for as long as the process lives: a protection comes back when nobody holds what took it out.
_taken_out = ExitStack()


def take_out(name: str) -> None:
    """Take away this protection of the process, before it begins to work, for good. Raises KeyError."""
    _taken_out.enter_context(MUTANTS[name].without())
