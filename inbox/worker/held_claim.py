"""The claim in hand, so that its jobs are returned if the work on them is cut short."""

from collections.abc import Iterator
from contextlib import contextmanager

from inbox.db.blockers import find_blocker
from inbox.engine.claim import Claim
from inbox.engine.give_back import give_back_and_wait
from inbox.engine.hold_up import FIRST_PAUSE_ALONE_S, hold_up, is_held_up
from inbox.engine.reclaim import reclaim_own
from inbox.events import Event, emit


class HeldClaim:
    """At most one claim. `claimed` is how many jobs were in hand so far.

    `leaves_jobs`: some of its jobs could not be returned and are still PROCESSING.
    """

    def __init__(self) -> None:
        self.claimed = 0
        self.leaves_jobs = False
        self._claim: Claim | None = None
        self._is_cut_off = False
        self._why: str | None = None

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        """Hold the claim until the block ends well; after an exception it stays in hand."""
        self._claim = claim
        self.claimed += len(claim)
        # Only now, as whatever interrupts this finds the claim in hand.
        if claim:
            emit(Event.CLAIMED, source=claim.source.name, jobs=len(claim))
        yield
        self._claim = None

    def connection_lost(self, why: str | None = None) -> None:
        """Note that the connection broke: a message in hand may have broken it, unless the server said `why`.

        Only the first time counts: later ones are about a server that is still away.
        """
        if self._claim is not None and not self._is_cut_off:
            self._is_cut_off, self._why = True, why

    def give_back(self) -> None:
        """Return to NEW what the claim in hand still holds; after a lost connection reclaim it, as others would.

        Raises what the database raises, and keeps the claim then.
        """
        if self._claim is None:
            return
        if self._is_cut_off:
            self._reclaim(self._claim)
        else:
            self.leaves_jobs = give_back_and_wait(self._claim.lease_id, self._claim.all_inbox_ids)
        self._claim, self._is_cut_off = None, False

    def _reclaim(self, claim: Claim) -> None:
        """A job alone is to blame for what the server said only if that comes again: somebody may end slow sessions.

        Not even then while a table is locked, as they may end those that wait for it.
        """
        inbox_ids = claim.all_inbox_ids
        if self._why and claim.runs_alone and (not is_held_up(inbox_ids, self._why) or find_blocker()):
            hold_up(claim.lease_id, inbox_ids, self._why, pause_s=FIRST_PAUSE_ALONE_S, alone=inbox_ids)
        else:
            reclaim_own(claim.lease_id, inbox_ids)
