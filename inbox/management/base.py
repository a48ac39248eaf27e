"""Shared by the commands: they wait for the database, stop on signals, and take options of these types."""

import getpass
import json
import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connection

from inbox.db.blockers import refusal_text
from inbox.db.connection_budget import NoRoom, wait_for_room
from inbox.db.errors import NoDatabase, is_refusal, is_table_missing, wait_for_database
from inbox.db.storable import error_text, host_name, storable
from inbox.monitoring.terminal import say
from inbox.worker.signals import Stop, StopNow

T = TypeVar("T")

DATABASE_WAIT_S = 30.0
# 31 years; longer fits neither an interval of the database nor a wait of the operating system.
LONGEST_S = 1e9
DAY_S = 86400
EXIT_NO_DATABASE = 4


class DatabaseCommand(BaseCommand):
    """A command that waits up to 30 s for its database, or for a connection, and exits with 4 if there is none."""

    database_wait_s = DATABASE_WAIT_S
    # Runs all day and by itself: it does not start where only the connections reserved for the web are left.
    is_background = False

    def execute(self, *args: Any, **options: Any) -> str | None:
        # With DEBUG, Django keeps the text of every query: too slow for a process of days, and it never stops growing.
        settings.DEBUG = False
        try:
            wait_for_database(self.database_wait_s)
            if self.is_background:
                wait_for_room(self.database_wait_s)
        except NoDatabase as error:
            text = f"{error}\nIs DATABASE_URL right, and is the server up?"
            raise CommandError(text, returncode=EXIT_NO_DATABASE) from None
        except NoRoom as error:
            raise CommandError(str(error), returncode=EXIT_NO_DATABASE) from None
        try:
            return super().execute(*args, **options)
        except Error as error:
            if is_table_missing(error):
                text = f"{error_text(error)}\nAre the tables there? Type: manage.py migrate. {_search_path()}"
                raise CommandError(text) from None
            if not is_refusal(error):
                raise
            raise CommandError(f"the database refused: {refusal_text(error)}; try again later") from None

    def report(self, text: str) -> None:
        """Print what was done. If it can't be written, stderr says so, and the work that is done does not fail."""
        try:
            say(self.stdout, text)
        except CommandError as error:
            self.stderr.write(f"{error}; the work itself is done")

    def print_result(self, result: dict[str, Any], text: str, *, is_json: bool) -> None:
        """Report the one or the other."""
        self.report(json.dumps(result, allow_nan=False) if is_json else text)


def _search_path() -> str:
    with suppress(Error), connection.cursor() as cursor:
        cursor.execute("SELECT current_user::text, current_setting('search_path')")
        role, path = cursor.fetchone()
        return f"{role} looks for tables in: {path} (search_path, docs/operations.md)"
    return ""


@contextmanager
def stopped_by_signals(left: str = "nothing is left half done") -> Iterator[Stop]:
    """Gives a Stop that the first SIGTERM, SIGINT or SIGHUP sets. The second raises CommandError, which says what is
    `left`. After the block, signals do what they did before it.
    """
    stop = Stop()
    stop.install()
    try:
        yield stop
    except StopNow:
        raise CommandError(f"Stopped immediately; {left}.") from None
    finally:
        stop.uninstall()


@contextmanager
def in_batches(report: Callable[[], object]) -> Iterator[Stop]:
    """For work in batches, each complete in itself: as stopped_by_signals, and calls `report` however it ends.

    Raises CommandError, which says to run the command again, if it was stopped or if the database refused.
    """
    try:
        with stopped_by_signals("every batch is complete, run it again for the rest") as stop:
            try:
                yield stop
            finally:
                report()
    except Error as error:
        why = f"the database refused: {refusal_text(error)}"
        raise CommandError(f"{why}; every batch is complete, run it again for the rest") from None
    if stop.is_asked:
        raise CommandError("stopped; run it again for the rest")


def user_at_host() -> str:
    """The user that runs this process, and the host; a container's user may have no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return storable(f"{user}@{host_name()}")


def counted(counts: Mapping[str, int], word: str) -> str:
    """Such as "3 pruned: 1 DEAD, 2 DONE"."""
    parts = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
    return f"{sum(counts.values()):,} {word}{': ' + parts if parts else ''}"


def option_value(text: str, parse: Callable[[str], T], is_good: Callable[[T], object], takes: str) -> T:
    """The value of an option. Raises ArgumentTypeError, which names what it `takes`."""
    try:
        value = parse(text)
        if is_good(value):
            return value
    except ValueError:
        pass
    raise ArgumentTypeError(f"must be {takes}, got {text!r}")


def whole_number(text: str) -> int:
    """An argparse type: a whole number."""
    return option_value(text, int, lambda number: True, "a whole number")


def positive_int(text: str) -> int:
    """An argparse type: a whole number above 0."""
    return option_value(text, int, lambda number: number > 0, "a whole number above 0")


def positive_seconds(text: str) -> float:
    """An argparse type: seconds above 0."""
    return option_value(text, float, lambda number: 0 < number <= LONGEST_S, "a number of seconds above 0")


def positive_days(text: str) -> float:
    """An argparse type: days above 0, also parts of one."""
    return option_value(text, float, lambda days: 0 < days * DAY_S <= LONGEST_S, "a number of days above 0")


def percentage(text: str) -> float:
    """An argparse type: a percentage from 0 to 100."""
    return option_value(text, float, lambda number: 0 <= number <= 100, "a percentage from 0 to 100")


def inbox_id(text: str) -> int:
    """An argparse type: the key of a job."""
    return option_value(text, int, lambda number: 0 < number < 2**63, "an inbox id")


def some_text(text: str) -> str:
    """An argparse type: text that is not blank and that the database can store."""
    # Bytes of the command line that are no UTF-8 come as lone surrogates, which encode() refuses.
    return option_value(text, lambda typed: typed.encode().decode(), str.strip, "readable text that is not blank")


def add_number(parser: CommandParser, name: str, kind: Callable[[str], float], default: float, text: str) -> None:
    """An option that takes a number of that kind; its help is `text` and the default."""
    metavar = "S" if kind is positive_seconds else "PERCENT" if kind is percentage else "N"
    parser.add_argument(name, type=kind, default=default, metavar=metavar, help=f"{text} (default %(default)g)")
