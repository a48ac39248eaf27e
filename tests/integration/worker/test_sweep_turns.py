"""One process at a time sweeps, however long it takes, and work goes on meanwhile."""

import dataclasses
import threading
from functools import partial

import pytest
from django.db import OperationalError

from inbox.engine.hold_up import HoldUps
from inbox.engine.ingest import ingest
from inbox.engine.sweeps.sweep import RANGES, sweep
from inbox.engine.sweeps.turn import SweepKind, take_turn
from inbox.models import InboxJob, PollWatermark
from inbox.worker import sweeping
from inbox.worker.ingester import AFTER_A_REFUSAL_S, Ingester
from inbox.worker.ingester import ROWS as ROWS_TO_INGEST
from tests.support.probe import in_threads, probe_source
from tests.support.rows import seconds_ago, send

pytestmark = pytest.mark.django_db(transaction=True)

SOURCE = probe_source()
ROWS = 8


@pytest.fixture(autouse=True)
def long_sweeps(monkeypatch):
    """A lookback of many steps, which lasts longer than its period: the next one is due at once."""
    monkeypatch.setattr(sweeping, "sweep", partial(sweep, step=1))
    monkeypatch.setattr(sweeping, "LOOKBACK_EVERY_S", 0.0)
    monkeypatch.setattr(sweeping, "SHARE", 1.0)
    for number in range(ROWS):
        send({}, created_at=seconds_ago(100 - number))


def looking(ingester):
    """The ingester, after it has ingested and done one step of what is due."""
    ingester.ingest()
    ingester.sweep_on()
    return ingester


def has_lookback(ingester):
    return any(sweep.kind is SweepKind.LOOKBACK for sweep in ingester._sweeps)


def next_lookback_at():
    return PollWatermark.objects.get().next_lookback_at


def test_a_second_process_begins_no_lookback_while_the_first_is_at_it():
    first, second = looking(Ingester([SOURCE])), Ingester([SOURCE])
    for _ in range(ROWS - 2):
        assert has_lookback(first)
        assert not has_lookback(looking(second))
        first.sweep_on()
    while has_lookback(first):
        first.sweep_on()
    assert has_lookback(looking(second))


def test_of_many_processes_never_two_are_at_the_same_sweep_at_once(monkeypatch):
    at_it = dict.fromkeys(SweepKind, 0)
    most, done, guard = dict(at_it), dict(at_it), threading.Lock()

    class Watched(sweeping.Sweeping):
        def __init__(self, source, kind, *arguments, **options):
            super().__init__(source, kind, *arguments, **options)
            with guard:
                at_it[kind] += 1
                most[kind] = max(most[kind], at_it[kind])

        def end(self):
            with guard:
                at_it[self.kind] -= 1
                done[self.kind] += 1
            super().end()

    def sweep_again_and_again():
        ingester = Ingester([SOURCE])
        for _ in range(40):
            looking(ingester)

    monkeypatch.setattr("inbox.worker.ingester.Sweeping", Watched)
    in_threads(*[sweep_again_and_again] * 4)
    assert done[SweepKind.LOOKBACK] > 1
    assert most == {SweepKind.LOOKBACK: 1, SweepKind.RECONCILE: 1}


def test_who_sweeps_keeps_the_turn_and_who_has_lost_it_stops():
    first = looking(Ingester([SOURCE]))
    [lookback] = [one for one in first._sweeps if one.kind is SweepKind.LOOKBACK]
    before = next_lookback_at()
    lookback._keeping.restart(0)
    first.sweep_on()
    assert next_lookback_at() > before
    # It has stood still for so long that its turn was due again.
    PollWatermark.objects.update(next_lookback_at=seconds_ago(0))
    second = looking(Ingester([SOURCE]))
    assert has_lookback(second)
    taken = next_lookback_at()
    lookback._keeping.restart(0)
    first.sweep_on()
    assert not has_lookback(first)
    assert next_lookback_at() == taken


def test_the_turn_of_a_process_that_died_is_due_soon_and_not_after_a_period(settings):
    looking(Ingester([SOURCE]))
    mark = PollWatermark.objects.get()
    assert mark.next_lookback_at < seconds_ago(-15.5)
    assert mark.next_reconcile_at < seconds_ago(-settings.INBOX_STALE_AFTER - 0.5)


def test_a_sweep_that_broke_off_is_due_soon(monkeypatch):
    def broken(source, kind, **options):
        raise OperationalError("canceling statement due to statement timeout")
        yield

    monkeypatch.setattr(sweeping, "sweep", broken)
    ingester = Ingester([SOURCE])
    ingester.ingest()
    for _ in SweepKind:
        with pytest.raises(OperationalError):
            ingester.sweep_on()
    assert not ingester.is_sweeping
    assert all(take_turn(SOURCE, kind, overdue_s=-AFTER_A_REFUSAL_S) for kind in SweepKind)


@pytest.mark.parametrize("kind", SweepKind)
def test_a_step_that_takes_too_long_goes_on_with_fewer_rows(monkeypatch, kind):
    """As a slow disk takes longer for more rows. The server itself ends the step, before its turn is due again."""
    monkeypatch.setattr(SweepKind, "step_limit_s", 0.1)
    is_slow = "(SELECT pg_sleep(CASE WHEN %(step)s > 2 THEN 60 ELSE 0 END)) IS NOT NULL"
    [(start, rows), *others] = RANGES[kind]
    monkeypatch.setitem(RANGES, kind, [(start, f"{rows} AND {is_slow}"), *others])
    send({})
    ingest(SOURCE)
    age_s = 50 if kind is SweepKind.LOOKBACK else 100_000
    late = [send({}, created_at=seconds_ago(age_s + number)) for number in range(5)]
    assert sum(sweep(SOURCE, kind, step=16)) == len(late)


def test_a_step_ends_before_the_turn_under_which_it_is_done():
    assert all(kind.step_limit_s + sweeping.KEEP_AFTER * kind.kept_for_s < kind.kept_for_s for kind in SweepKind)


def test_who_sweeps_to_the_end_keeps_the_turn_too(monkeypatch):
    def noting(source, kind, **options):
        for _ in range(3):
            turns[kind].add(PollWatermark.objects.values_list(kind.turn, flat=True).get())
            yield 0

    turns: dict[SweepKind, set] = {kind: set() for kind in SweepKind}
    monkeypatch.setattr(sweeping, "LOOKBACK_EVERY_S", 10.0)
    monkeypatch.setattr(sweeping, "KEEP_AFTER", 0)
    monkeypatch.setattr(sweeping, "sweep", noting)
    ingester = Ingester([SOURCE])
    ingester.ingest()
    ingester.sweep_to_end()
    assert [len(seen) for seen in turns.values()] == [3, 3]


@pytest.mark.parametrize("is_share_free", [False, True])
def test_a_stop_waits_for_one_step_at_most(monkeypatch, is_share_free):
    steps = []
    monkeypatch.setattr(sweeping, "sweep", lambda source, kind, **options: (steps.append(kind) or 0 for _ in range(9)))
    ingester = Ingester([SOURCE], is_stopping=lambda: bool(steps))
    ingester.ingest()
    if is_share_free:
        ingester.sweep_on(has_backlog=True)
    else:
        ingester.sweep_to_end()
    assert len(steps) == 1
    ingester.close()
    assert all(take_turn(SOURCE, kind) for kind in SweepKind)


def test_a_source_that_is_left_alone_keeps_no_sweep_of_others_away():
    other = dataclasses.replace(SOURCE, name="other")
    hold_ups = HoldUps()
    ingester = Ingester([other, SOURCE], hold_ups)
    ingester.ingest()
    hold_ups.begin(other, ROWS_TO_INGEST, "its table is locked")
    looking(ingester)
    assert {one.source.name for one in ingester._sweeps} == {SOURCE.name}


class NoShare:
    """No time is left for sweeps."""

    is_free = False

    def spend(self, s):
        pass


def test_with_a_backlog_a_sweep_waits_for_its_share_unless_rows_could_slip_through(monkeypatch):
    late = send({}, created_at=seconds_ago(50))
    ingester = Ingester([SOURCE])
    ingester.ingest()
    InboxJob.objects.filter(message_id=late).delete()
    ingester._share = NoShare()
    for _ in range(50):
        assert ingester.sweep_on(has_backlog=True) == 0
    assert has_lookback(ingester)
    monkeypatch.setattr(sweeping.Sweeping, "is_urgent", property(lambda self: self.kind is SweepKind.LOOKBACK))
    assert sum(ingester.sweep_on(has_backlog=True) for _ in range(ROWS + 3)) == 1


def test_a_long_reconcile_keeps_no_lookback_away():
    PollWatermark.objects.create(source="test", next_lookback_at=seconds_ago(-100))
    for number in range(30):
        send({}, created_at=seconds_ago(100_000 + number))
    ingester = Ingester([SOURCE])
    ingester.ingest()
    ingester.sweep_on()
    assert [one.kind for one in ingester._sweeps] == [SweepKind.RECONCILE]
    PollWatermark.objects.update(next_lookback_at=seconds_ago(10))
    late = send({}, created_at=seconds_ago(99.5))
    for _ in range(25):
        looking(ingester)
    assert InboxJob.objects.filter(message_id=late).exists()
    assert ingester.is_sweeping
