"""How many connections each kind of process may have, by what is in use already."""

import pytest

from inbox.db.connection_budget import Connections, Level


def seen(**fields):
    usual = {"by_kind": {}, "sessions": 0, "usable": 1000, "budget": 120, "reserved": 20, "rank": 1}
    return Connections(**usual | fields)


@pytest.mark.parametrize(
    ("background", "level"),
    [(0, "FINE"), (69, "FINE"), (70, "BUSY"), (94, "BUSY"), (95, "TIGHT"), (99, "TIGHT"), (100, "FULL"), (130, "FULL")],
)
def test_levels_are_parts_of_what_the_web_leaves(background, level):
    found = seen(by_kind={"worker": background, "web": 15}, sessions=background + 15)
    assert found.level is Level[level]
    assert (found.warning is None) == (level == "FINE")


def test_what_the_web_has_not_taken_stays_free_for_it_whoever_uses_the_server():
    strangers = seen(by_kind={"worker": 2, "web": 5}, usable=100, sessions=84)
    assert strangers.room == 100 - 84 - (20 - 5)
    assert strangers.level is Level.TIGHT
    assert not seen(usable=100, sessions=81).may_start
    assert seen(usable=100, sessions=80).may_start


def test_of_many_that_start_at_once_the_oldest_may():
    assert seen(by_kind={"worker": 150}, sessions=150, rank=97).may_start
    assert not seen(by_kind={"worker": 150}, sessions=150, rank=98).may_start
