"""The rows of packets, decisions, ClinicalOps and isolation: each holds, breaks without each of its protections."""

import pytest
from django.db import OperationalError, connection, connections

from decisions import case
from decisions.messages import clinical_answer
from decisions.messages.clinical_ops import ClinicalOpsHandler
from decisions.models import ClinicalOpsMessage
from inbox.engine import ingest_by_flag, work
from inbox.models import InboxJob
from packets.intake import apply
from packets.models import IntegrationMessage
from verification import cases
from verification.proof.run import prove
from verification.proof.session import Result
from verification.proof.stage import Stage
from verification.protections.isolation import READ_COMMITTED
from verification.results import Verdict
from verification.rows import clinical_ops, decisions, isolation, packets

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = [module.ROW for module in (packets, decisions, clinical_ops, isolation)]
PROOFS = [pytest.param(row, proof, id=proof.race.__name__) for row in ROWS for proof in row.proofs]
TABLES = ["packet", "packet_decision", "service_ops_send_serviceops"]


def what_protections_change():
    """All that a protection of these rows takes out of the code, the settings or the schema."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, tgenabled::text FROM pg_trigger WHERE tgrelid::regclass::text = ANY(%(tables)s)"
            " UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            "  WHERE conrelid::regclass::text = ANY(%(tables)s)"
            " UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%(tables)s) ORDER BY 1, 2",
            {"tables": TABLES},
        )
        schema = cursor.fetchall()
        cursor.execute("SELECT setconfig FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase"
                       " WHERE datname = current_database()")  # fmt: skip
        settings = cursor.fetchall()
    code = [vars(module).copy() for module in (apply, case, clinical_answer, ingest_by_flag, work)]
    return schema, settings, code, vars(ClinicalOpsHandler).copy(), connections.settings["default"].copy()


@pytest.mark.parametrize(("row", "proof"), PROOFS)
def test_the_race_is_proved_at_once_and_leaves_nothing_behind(row, proof):
    before = what_protections_change()
    result = prove(row, proof, most_rounds=2, say=lambda text: None)
    assert (result.run.rounds, result.run.broken, result.run.error, result.run.deadlocks) == (2, [], None, 0)
    # In the first round: gates make the race happen, and not luck.
    without = [(removal.run.rounds, removal.run.error) for removal in result.removals]
    assert without == [(1, None)] * len(proof.without)
    assert result.verdict is Verdict.PROVED
    assert what_protections_change() == before
    for model in (InboxJob, IntegrationMessage, ClinicalOpsMessage):
        assert not model.objects.exists()


@pytest.mark.parametrize(("row", "proof"), PROOFS)
def test_a_race_whose_steps_fail_proves_nothing_and_does_not_disturb_the_next(row, proof, monkeypatch):
    def fail(self, name, step):
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(Stage, "_take", fail)
        # A session that has ended its step is at no gate.
        patched.setattr(Stage, "_go", lambda self, name: None)
        result = prove(row, proof, most_rounds=1, say=lambda text: None)
    assert result.run.broken == []
    assert result.run.error
    assert result.verdict is Verdict.NOT_PROVED
    assert prove(row, proof, most_rounds=1, say=lambda text: None).verdict is Verdict.PROVED


def test_without_its_level_a_session_reads_stale_data_at_repeatable_read(stage):
    with READ_COMMITTED.without():
        broken = isolation.a_payload_waits_for_an_older_answer(stage)
    assert broken == [
        f"at REPEATABLE READ of the {whose}, round and payload: (1, 'SENT') instead of (2, 'NOT_SENT')"
        for whose in ("DATABASE", "ROLE")
    ]


def test_without_its_level_a_person_meets_an_error_of_the_database(stage):
    with READ_COMMITTED.without():
        broken = isolation.two_people_decide(stage)
    assert [text.partition(":")[0] for text in broken] == [
        "at REPEATABLE READ of the DATABASE, OperationalError",
        "at REPEATABLE READ of the ROLE, OperationalError",
        "at SERIALIZABLE of the ROLE, OperationalError",
    ]


def test_an_error_that_is_no_refusal_is_no_broken_promise():
    with pytest.raises(OperationalError):
        cases.errors_of(Result(error=OperationalError("the connection is gone")))


def test_a_killed_session_that_goes_on_breaks_the_race_off(stage, monkeypatch):
    monkeypatch.setattr(Stage, "kill", lambda self, name: None)
    with stage.hold(cases.COMMIT):
        stage.start("A", cases.in_transaction(lambda: None))
        with pytest.raises(cases.NotSet):
            cases.die(stage, "A")
