"""What the commands of the inbox share: they wait for the database, and say so if there is none."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inbox.db.connection_budget import NoRoom, wait_for_room
from inbox.db.errors import NoDatabase, wait_for_database

DATABASE_WAIT_S = 30.0
# 31 years; what is longer fits neither an interval of the database nor a wait of the operating system.
LONGEST_S = 1e9
EXIT_NO_DATABASE = 4


class DatabaseCommand(BaseCommand):
    """A command that waits up to 30 s for its database, or for a connection, and exits with 4 if there is none."""

    database_wait_s = DATABASE_WAIT_S
    # Runs all day and by itself: it does not start where only the connections that the web keeps are left.
    is_background = False

    def execute(self, *args: Any, **options: Any) -> str | None:
        # With DEBUG, Django keeps the text of every query: too slow, and no end of memory, for a process of days.
        settings.DEBUG = False
        try:
            wait_for_database(self.database_wait_s)
        except NoDatabase as error:
            raise CommandError(
                f"{error}\nIs DATABASE_URL right, and the server up?", returncode=EXIT_NO_DATABASE
            ) from None
        if self.is_background:
            try:
                wait_for_room(self.database_wait_s)
            except NoRoom as error:
                raise CommandError(str(error), returncode=EXIT_NO_DATABASE) from None
        return super().execute(*args, **options)


def positive_int(text: str) -> int:
    """An argparse type. Raises ValueError."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def positive_seconds(text: str) -> float:
    """An argparse type: seconds above 0. Raises ValueError."""
    number = float(text)
    if not 0 < number <= LONGEST_S:
        raise ValueError
    return number


def positive_days(text: str) -> float:
    """An argparse type: days above 0, also parts of one. Raises ValueError."""
    return positive_seconds(str(float(text) * 86400)) / 86400


def inbox_id(text: str) -> int:
    """An argparse type: the key of a job. Raises ValueError."""
    number = int(text)
    if not 0 < number < 2**63:
        raise ValueError
    return number


def some_text(text: str) -> str:
    """An argparse type: text that is not blank and that the database can store. Raises ValueError."""
    text.encode()  # bytes of the command line that are no UTF-8 come as lone surrogates
    if not text.strip():
        raise ValueError
    return text


# argparse puts these names into "invalid … value".
positive_int.__name__ = "whole number above 0"
positive_seconds.__name__ = "number of seconds above 0"
positive_days.__name__ = "number of days above 0"
inbox_id.__name__ = "inbox id"
some_text.__name__ = "text"


def add_worker_arguments(parser: CommandParser, *, batch_size: int, poll_interval_s: float) -> None:
    """The options of every worker command."""
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--once", action="store_true", help="one ingest and one claim, then exit")
    mode.add_argument("--drain", action="store_true", help="work until nothing is due, then say what stays and why")
    parser.add_argument("--max-jobs", type=positive_int, metavar="N", help="exit after N jobs")
    parser.add_argument(
        "--batch-size", type=positive_int, default=batch_size, metavar="N", help="jobs per claim (default %(default)s)"
    )
    parser.add_argument(
        "--poll-interval",
        type=positive_seconds,
        default=poll_interval_s,
        metavar="S",
        help="seconds between looks when idle (default %(default)g)",
    )
    parser.add_argument("--worker-id", metavar="ID", help="name of this process (default host:pid:random)")
