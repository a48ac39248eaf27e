"""The clock of the database goes back, or ahead."""

from tests.chaos.faults.fault import Fault

# Seconds. So far back as a server whose clock is not set, and so little as a correction.
SHIFTS_S = (-1200.0, -300.0, -5.0, -1.0, 1.0, 3.0)


class ShiftClock(Fault):
    name = "clock shifted"
    does = "the clock of the primary goes back by up to 20 min or ahead by up to 3 s, for 2 to 6 s"
    weight = 0.5
    lasts_s = (2.0, 6.0)
    takes_server = True

    @classmethod
    def missing(cls, stage):
        return None if stage.has_clocks else "libfaketime, and a slice with an even seed"

    def begin(self, monkey):
        by_s = monkey.rng.choice(SHIFTS_S)
        with monkey.stage.connect() as connection:
            connection.execute("INSERT INTO chaos_shift VALUES (%s)", [by_s])
        self._server = monkey.stage.shift_clock(by_s)

    def end(self, monkey):
        self._server.shift(0)
