"""A source has one handler per message type, and handlers or outbound calls, not both."""

import pytest

from inbox import registry
from inbox.registry import Outbound, Source, register_source

CALLS = Outbound(prepare=list, call=str, finish=lambda jobs, answers: [])


@pytest.fixture(autouse=True)
def no_sources(monkeypatch):
    monkeypatch.setattr(registry, "_sources", {})


def made(name="test", command="run_test"):
    return register_source(Source(name=name, command=command))


def test_a_name_is_registered_once():
    made()
    with pytest.raises(ValueError, match="source test is registered already"):
        made()


def test_sources_are_found_by_name_and_by_command():
    b, a = made("b"), made("a")
    made("c", command="run_other")
    assert registry.source("a") is a
    assert registry.sources_of("run_test") == [a, b]


def test_a_message_type_has_one_handler():
    source = made()
    source.handles("probe")(list)
    assert (source.message_types, source.is_outbound) == (("probe",), False)
    with pytest.raises(ValueError, match="test: probe has a handler already"):
        source.handles("probe")(list)
    with pytest.raises(ValueError, match="test: a source has handlers or outbound calls, not both"):
        source.calls("call", CALLS)


def test_an_outbound_source_has_calls_only():
    source = made()
    assert source.calls("call", CALLS) is CALLS
    assert source.is_outbound
    with pytest.raises(ValueError, match="already"):
        source.calls("call", CALLS)
    with pytest.raises(ValueError, match="not both"):
        source.handles("probe")(list)
