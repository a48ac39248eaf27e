"""When a worker polls: at once after a notification or while there is a backlog, else when the interval is over.

A notification wakes all workers, and all but one find nothing. A worker that came too late a few times in a row yields
to the others for about as long as a message takes, and then only asks whether they left something.
"""

from collections.abc import Callable

from inbox.worker.timer import Timer

# While LISTEN works, polling only finds what a notification missed.
POLL_LESS_OFTEN = 5
# Notifications in a row that brought this worker nothing, after which it yields.
YIELD_AFTER = 3
HEAD_START_S = 0.005


class Schedule:
    """`poll_interval_s` is how often an idle worker polls without notifications."""

    def __init__(self, poll_interval_s: float) -> None:
        self.poll = Timer(poll_interval_s)
        self._poll_interval_s = poll_interval_s
        self._may_have_work = True
        self._has_backlog = False
        self._fruitless = 0

    def set_listening(self, is_listening: bool) -> None:
        """Poll less often while notifications arrive."""
        self.poll.every_s = self._poll_interval_s * (POLL_LESS_OFTEN if is_listening else 1)

    def poll_now(self) -> None:
        """Something happened that may have made work."""
        self._may_have_work = True

    def notified(self) -> None:
        """A notification came: poll now, or yield first after several that brought nothing."""
        if self._fruitless < YIELD_AFTER:
            self.poll_now()
        else:
            self.poll.bring_forward(HEAD_START_S)
        self._fruitless += 1

    def is_time_to_poll(self, has_work: Callable[[], bool]) -> bool:
        """True if there may be work; `has_work` asks the database, once per interval."""
        if self._may_have_work:
            return True
        if not self.poll.is_due():
            return False
        self.poll.restart()
        return has_work()

    def is_time_to_ingest(self) -> bool:
        """True unless full claims show a backlog of jobs: then new rows can wait until the interval is over."""
        return not self._has_backlog or self.poll.is_due()

    def ingested(self) -> None:
        """Count the interval from the end of an ingest: one that was refused after seconds is not due again at once."""
        self.poll.restart()

    def polled(self, *, has_claimed: bool, has_backlog: bool, has_more: bool) -> None:
        """Note what a poll brought: jobs, full claims only, and whether the next poll may bring more."""
        if has_claimed:
            self._fruitless = 0
        self._has_backlog = has_backlog
        self._may_have_work = has_more

    @property
    def has_backlog(self) -> bool:
        """The claims of the last poll were all full."""
        return self._has_backlog

    @property
    def is_idle(self) -> bool:
        """No work is known of."""
        return not self._may_have_work
