"""An event becomes a log line and reaches the listeners of its own thread."""

from threading import Thread

from inbox.events import Event, emit, listening
from inbox.job_counts import NO_JOBS, JobCounts
from tests.support.log_lines import lines


def noting(heard):
    return listening(lambda event, counts: heard.append((event, counts)))


def test_an_event_is_a_log_line_with_its_facts_and_counts():
    with lines() as written:
        emit(Event.RECLAIMED, JobCounts(given_back=3), source="integration")
    [line] = written
    assert (line["logger"], line["level"], line["event"]) == Event.RECLAIMED.value
    assert (line["source"], line["given_back"]) == ("integration", 3)
    assert "done" not in line


def test_a_listener_hears_events_inside_its_block_only():
    heard = []
    with noting(heard):
        emit(Event.STOPPED)
    emit(Event.CLAIMED)
    assert heard == [(Event.STOPPED, NO_JOBS)]


def test_each_of_several_listeners_hears_an_event():
    outer, inner = [], []
    with noting(outer), noting(inner):
        emit(Event.STOPPED)
    assert outer == inner == [(Event.STOPPED, NO_JOBS)]


def test_a_listener_hears_only_the_events_of_its_thread():
    heard = []
    with noting(heard):
        other = Thread(target=emit, args=[Event.STOPPED])
        other.start()
        other.join()
    assert heard == []
