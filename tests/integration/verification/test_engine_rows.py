"""The rows of the engine: each promise holds, breaks without each of its protections, and leaves nothing behind."""

from itertools import product

import pytest
from django.db import connection

from inbox.engine import claim, enqueue, finish, ingest, reclaim, work
from inbox.models import InboxJob
from inbox.models.job import HELD_BY_LEASE, JobQuerySet
from inbox.statuses import ALLOWED_MOVES, Status
from verification import scenes
from verification.proof.run import prove
from verification.protections.lease import GUARD_MOVES, OWNER_AND_ATTEMPT
from verification.results import Verdict
from verification.rows import claiming, insert, once, owner, reclaimer, status

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = [module.ROW for module in (claiming, insert, reclaimer, status, owner, once)]


@pytest.fixture(autouse=True)
def witness_table():
    with connection.cursor() as cursor:
        cursor.execute(scenes.CREATE_WITNESS)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE verify_witness")


def what_protections_change():
    """All that a protection of the engine takes out of the code or the schema."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, tgenabled::text, NULL FROM pg_trigger WHERE tgrelid = 'integration_inbox'::regclass"
            " UNION ALL SELECT conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
            "  WHERE conrelid = 'integration_inbox'::regclass"
            " UNION ALL SELECT relname, relkind::text, NULL FROM pg_class WHERE relname LIKE 'verify%' ORDER BY 1"
        )
        schema = cursor.fetchall()
    code = [vars(module).copy() for module in (claim, enqueue, finish, ingest, reclaim, work)]
    return schema, code, vars(JobQuerySet).copy()


@pytest.mark.parametrize("row", ROWS, ids=[row.key for row in ROWS])
def test_the_row_is_proved_and_leaves_nothing_behind(row):
    before = what_protections_change()
    for proof in row.proofs:
        result = prove(row, proof, most_rounds=2, say=lambda text: None)
        assert (result.run.broken, result.run.error, result.run.deadlocks) == ([], None, 0)
        # In the first round: gates make the race happen, and not luck.
        assert [(removal.run.rounds, removal.run.error) for removal in result.removals] == [(1, None)] * len(
            proof.without
        )
        assert result.verdict is Verdict.PROVED
    assert what_protections_change() == before
    assert not InboxJob.objects.exists()


def test_a_guard_that_is_gone_from_the_product_fails_its_row_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(finish, "FINISH_DONE", finish.FINISH_DONE.replace(f"AND {HELD_BY_LEASE}", ""))
    results = [prove(status.ROW, proof, most_rounds=1, say=lambda text: None) for proof in status.ROW.proofs]
    gone = results[0].removals[0]
    assert (gone.protection, gone.is_seen) == ("no-guard", False)
    assert gone.run.error.startswith("it can't be taken out: inbox.engine.finish:FINISH_DONE does not contain")
    assert [result.verdict for result in results] == [
        Verdict.NOT_PROVED,
        Verdict.FAILED,
        Verdict.PROVED,
        Verdict.PROVED,
    ]


# Damage that no protection of a row takes out in the same way.
DAMAGE = [
    (insert.two_enqueue_in_opposite_order, enqueue, "INSERT_JOBS", "ORDER BY job.message_id", ""),
    (owner.a_frozen_worker_wakes, work, "LOCK_LEASED_JOBS", f"AND {HELD_BY_LEASE}", ""),
    (status.a_finish_under_a_lease_that_is_gone, finish, "FINISH_WITH_OUTCOME", f"AND {HELD_BY_LEASE}", ""),
]


@pytest.mark.parametrize(
    ("race", "module", "name", "text", "instead"), DAMAGE, ids=[case[0].__name__ for case in DAMAGE]
)
def test_damage_to_one_statement_is_seen(race, module, name, text, instead, stage, monkeypatch):
    plain = getattr(module, name)
    assert text in plain
    monkeypatch.setattr(module, name, plain.replace(text, instead))
    assert race(stage)


def test_every_move_that_is_not_allowed_is_tried(stage):
    with GUARD_MOVES.without():
        moved = status.every_other_move_is_tried_by_hand(stage)
    other = [move for move in product(Status, Status) if move[0] != move[1] and move not in ALLOWED_MOVES]
    assert moved == [f"a job moved from {old} to {new}" for old, new in other]


def test_a_worker_remembers_its_claim_in_a_table_that_is_made_when_it_is_needed(stage):
    scenes.make_jobs(2)
    with OWNER_AND_ATTEMPT.without():
        for name in "AB":
            stage.do(name, lambda: claim.claim(scenes.SOURCE, worker_id="W", limit=1))
        with connection.cursor() as cursor:
            cursor.execute("SELECT owner, attempt FROM verify_claim")
            assert cursor.fetchall() == [("W", 1), ("W", 1)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('verify_claim')")
        assert cursor.fetchone() == (None,)
