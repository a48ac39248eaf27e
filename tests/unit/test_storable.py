"""Which texts and JSON values the database can store."""

import pytest

from inbox.db.storable import DEEPEST, is_storable, storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [("TEST", "TEST"), ("a\0b", "a\ufffdb"), ("a\ud800b", "a?b"), ("x" * 10, "x" * 10), ("x" * 11, "x" * 9 + "…")],
)
def test_a_text_without_nul_and_lone_surrogates_is_cut_to_its_limit(text, stored):
    assert storable(text, 10) == stored


def nested(depth):
    value = "TEST"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [None, 1, 1.5, "TEST", [], {}, {"a": [{"b": None}]}, nested(DEEPEST)])
def test_a_usual_value_is_storable(value):
    assert is_storable(value)


@pytest.mark.parametrize(
    "value", ["a\0", ["\ud800"], {"a\0": 1}, {"a": {"b": "\0"}}, float("nan"), [float("inf")], nested(DEEPEST + 1)]
)
def test_a_value_that_the_database_or_json_cannot_hold_is_not(value):
    assert not is_storable(value)
