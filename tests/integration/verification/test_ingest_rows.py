"""The rows of ingest, connections, monitoring and operators: each holds, breaks without each of its protections."""

import contextlib

import pytest
from django.db import IntegrityError, connection, transaction

from inbox import registry
from inbox.models import InboxJob, PollWatermark
from inbox.operations.verbs import MARK_DEAD, REQUEUE
from verification import scenes, source_rows, steps
from verification.clicks import DONE, REFUSED, click
from verification.proof.run import prove
from verification.proof.stage import Stage
from verification.results import Verdict
from verification.rows import connections, operators, sweep, watched, watermark

pytestmark = pytest.mark.django_db(transaction=True)

PROOFS = [
    pytest.param(module.ROW, proof, id=proof.race.__name__)
    for module in (watermark, connections, watched, sweep, operators)
    for proof in module.ROW.proofs
]


@pytest.fixture(autouse=True)
def scene(monkeypatch):
    """The source is known while the test lasts."""
    monkeypatch.setattr(registry, "_sources", registry._sources | {scenes.SOURCE.name: scenes.SOURCE})


@pytest.mark.parametrize(("row", "proof"), PROOFS)
def test_the_race_is_proved_at_once_and_leaves_nothing_behind(row, proof):
    result = prove(row, proof, most_rounds=2, say=lambda text: None)
    assert (result.run.rounds, result.run.broken, result.run.error) == (2, [], None)
    assert [removal.run.error for removal in result.removals] == [None] * len(proof.without)
    # In the first round: gates make the race happen, not luck. One race has half a second, which a slow machine loses.
    if proof.race is not watermark.commit_behind_the_mark:
        assert {removal.run.rounds for removal in result.removals} == {1}
    assert result.verdict is Verdict.PROVED
    assert not InboxJob.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM integration_send_serviceops")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(("row", "proof"), PROOFS)
def test_a_race_whose_steps_fail_proves_nothing(row, proof, monkeypatch):
    def fail(self, name, step):
        raise IntegrityError("refused")

    monkeypatch.setattr(Stage, "_take", fail)
    result = prove(row, proof, most_rounds=1, say=lambda text: None)
    assert (result.run.broken, result.run.error) == ([], "IntegrityError: refused")
    assert result.verdict is Verdict.NOT_PROVED


def test_a_row_without_a_job_is_told():
    first, second, third = source_rows.new_message_ids(3)
    source_rows.send(first, third)
    source_rows.poll()
    assert source_rows.lost(first, second, third) == [f"row {second} was passed, and has no job"]


def test_a_race_on_empty_tables_finds_and_leaves_none(stage):
    @source_rows.on_empty_tables
    def race(stage):
        """A story."""
        assert not PollWatermark.objects.filter(source=scenes.SOURCE.name).exists()
        source_rows.send(*source_rows.new_message_ids(1))
        source_rows.poll()
        return [f"{InboxJob.objects.count()} job"]

    assert [race(stage), race(stage)] == [["1 job"], ["1 job"]]
    assert not InboxJob.objects.exists()
    assert (race.__name__, race.__doc__) == ("race", "A story.")


def test_a_transaction_lasts_over_the_steps_of_a_session_and_a_failed_one_is_rolled_back(stage):
    [row] = source_rows.new_message_ids(1)
    stage.do("A", steps.begin)
    stage.do("A", lambda: source_rows.send(row))
    with pytest.raises(IntegrityError):
        stage.do("A", lambda: source_rows.send(row))
    stage.do("A", steps.commit)
    stage.do("A", lambda: source_rows.send(row))
    with contextlib.suppress(IntegrityError), transaction.atomic():
        source_rows.send(row)
        pytest.fail("the row is not there")
    source_rows.clear()


def test_a_click_is_answered_as_the_form_answers_it():
    [job] = steps.new_jobs(1)
    job = InboxJob.objects.get(pk=job)
    mark_dead, requeue = click(MARK_DEAD, job), click(REQUEUE, job)
    assert mark_dead() == DONE
    # The same form again, and another one that shows what is no longer so.
    assert mark_dead() == DONE
    assert requeue() == REFUSED
    assert InboxJob.objects.get().status == "DEAD"
