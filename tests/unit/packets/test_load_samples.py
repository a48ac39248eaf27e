"""The options of load_samples, and what it says without a database."""

import pytest
from django.core.management import CommandError, call_command

from inbox.db.errors import NoDatabase
from inbox.management import base


@pytest.mark.parametrize(
    ("option", "value", "takes"),
    [
        ("--count", "0", "a whole number above 0"),
        ("--count", "many", "a whole number above 0"),
        ("--seed", "x", "a whole number"),
        ("--broken", "101", "a percentage from 0 to 100"),
        ("--broken", "nan", "a percentage from 0 to 100"),
    ],
)
def test_a_wrong_option_is_told_what_it_takes(option, value, takes):
    with pytest.raises(CommandError) as refused:
        call_command("load_samples", option, value)
    assert f"argument {option}: must be {takes}, got '{value}'" in str(refused.value)


def test_without_a_database_it_gives_up_with_exit_code_4(monkeypatch):
    def refuse(timeout_s):
        raise NoDatabase("no database")

    monkeypatch.setattr(base, "wait_for_database", refuse)
    with pytest.raises(CommandError, match="no database") as raised:
        call_command("load_samples")
    assert raised.value.returncode == 4
