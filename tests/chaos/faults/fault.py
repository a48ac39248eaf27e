"""The shape of a fault: how it begins, how long it lasts, how it ends."""

import time
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tests.chaos.monkey import Monkey
    from tests.chaos.stage import Stage


class Fault:
    """One kind of harm; an object of it is one time that it strikes.

    `begin` raises psycopg.Error if it could not strike. One that `takes_server` never strikes while another of these
    lasts, and one that is `once_at_a_time` not while it lasts itself.
    """

    # How often it is chosen, next to the others, and for how many seconds it lasts.
    weight: ClassVar[float] = 1.0
    lasts_s: ClassVar[tuple[float, float]] = (0.0, 0.0)
    takes_server: ClassVar[bool] = False
    once_at_a_time: ClassVar[bool] = True
    # For the table.
    name: ClassVar[str]
    does: ClassVar[str]
    # By this machine's clock, and by its monotonic clock.
    began_at: float = 0.0
    until: float = 0.0

    @classmethod
    def missing(cls, stage: "Stage") -> str | None:
        """Names what this stage has not that the fault needs."""
        return None

    def begin(self, monkey: "Monkey") -> None:
        raise NotImplementedError

    def is_over(self, monkey: "Monkey") -> bool:
        """Asked again and again while it lasts."""
        return time.monotonic() >= self.until

    def end(self, monkey: "Monkey") -> None:
        """Take the harm away; never raises because the server is away."""
