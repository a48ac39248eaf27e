"""The options of verify_locks: a wrong one is refused before any work, with a text that says what is right."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from verification.management.commands.verify_locks import Command, one_row, refuse_what_makes_no_sense, time_of
from verification.rows import ROWS


def options(*words):
    return vars(Command().create_parser("manage.py", "verify_locks").parse_args(words))


def test_a_row_is_named_by_its_key_or_its_number():
    for row in ROWS:
        assert one_row(row.key) is row
        assert one_row(row.number.lower()) is row
    assert options("--only", "claiming", "1")["only"] == [ROWS[0], ROWS[0]]


def test_the_keys_and_numbers_of_rows_are_unique():
    names = [name.lower() for row in ROWS for name in (row.key, row.number)]
    assert len(names) == len(set(names))


def test_a_wrong_row_is_told_which_rows_there_are_and_which_may_be_meant():
    with pytest.raises(ArgumentTypeError, match="there is no row 'claming'; did you mean claiming") as refused:
        one_row("claming")
    assert all(row.key in str(refused.value) for row in ROWS)
    with pytest.raises(ArgumentTypeError, match=r"there is no row 'xyzzy'\. The rows are: claiming"):
        one_row("xyzzy")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2031-02-03", datetime(2031, 2, 3, tzinfo=UTC)),
        ("2031-02-03T04:05Z", datetime(2031, 2, 3, 4, 5, tzinfo=UTC)),
        ("2031-02-03 04:05:06+02:00", datetime(2031, 2, 3, 2, 5, 6, tzinfo=UTC)),
    ],
)
def test_a_time_has_a_time_zone(text, moment):
    assert time_of(text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2031-02-30", "2031-02-03T25:00"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="must be a time such as"):
        time_of(text)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--since", "2031-02-03"], "--since needs --audit"),
        (["--audit", "--quick"], "--audit proves nothing, so it takes no --quick"),
        (["--audit", "--only", "claiming"], "so it takes no --only"),
        (["--audit", "--scratch-url", "postgresql:///x"], "so it takes no --scratch-url"),
        (["--audit", "--html", "x.html"], "so it takes no --html"),
        (["--markdown", "-"], "'-' is no file"),
        (["--html", "/no/such/folder/x.html"], "No such file or directory"),
        (["--html", "x", "--markdown", "./x"], "need different files"),
    ],
)
def test_what_makes_no_sense_is_refused(words, says):
    with pytest.raises(CommandError, match=says) as refused:
        refuse_what_makes_no_sense(options(*words))
    assert refused.value.returncode == 2


def test_what_makes_sense_is_not_refused(tmp_path):
    files = [str(tmp_path / name) for name in ("x.md", "x.html")]
    refuse_what_makes_no_sense(options("--quick", "--json", "--markdown", files[0], "--html", files[1]))
    refuse_what_makes_no_sense(options("--audit", "--since", "2031-02-03", "--json"))
    assert list(Path(tmp_path).iterdir()) == []
