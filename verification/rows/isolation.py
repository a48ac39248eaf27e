"""Row 10, transaction isolation: a transaction that has waited for a lock sees what its holder wrote.

    a case is affirmed; the database's default level is changed, and A and B connect anew
A   applies an older, contrary answer: it ends what was said before the newer one    | held before it commits
B   has a payload that was said in between: begins, and waits for the lock of the packet
A   commits
B   reads the messages of the case: at READ COMMITTED with that of A, else as they were when it began
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection

from decisions.sources import CLINICAL_DECISION
from decisions.staff.approve import approve
from verification import cases
from verification.proof.stage import Stage
from verification.protections.isolation import READ_COMMITTED
from verification.row import Proof, Row

LEVELS = ("read committed", "repeatable read", "serializable")
SETTING = "default_transaction_isolation"


def a_payload_waits_for_an_older_answer(stage: Stage) -> list[str]:
    """The same messages lead to the same decision at each level: round 2, whose payload is not sent yet."""
    broken = []
    for level in _each_level():
        packet = cases.new_packet()
        cases.write_answer(packet, "A", second=10)
        cases.work_off(CLINICAL_DECISION)
        older = cases.working_on("clinical_decision", cases.write_answer(packet, "N", second=5))
        payload = cases.working_on("generated_payload", cases.write_payload(packet, "A", second=7))
        results = cases.one_after_the_other(stage, _anew(older), _anew(payload), gate="inbox.engine.work:finish")
        cases.end_cases()
        version = cases.active(packet)
        found = (version.decision_round, version.esmd_request_status) if version else None
        broken += [f"at {level.upper()}, {text}" for text in cases.errors_of(*results)]
        broken += cases.other_than((2, "NOT_SENT"), f"at {level.upper()}, round and payload", found)
    return broken


def two_people_decide(stage: Stage) -> list[str]:
    """A and B approve the same packet: B is told by whom it was decided, and not that the database gave up."""
    broken = []
    for level in _each_level():
        packet = cases.new_packet()
        steps = cases.deciding(approve, packet), cases.deciding(approve, packet, by="grace")
        results = cases.one_after_the_other(stage, *map(_anew, steps), gate="decisions.staff.decide:write_versions")
        broken += [f"at {level.upper()}, {text}" for text in cases.second_is_told(packet, *results)]
    return broken


def _each_level() -> Iterator[str]:
    """Set the scratch database to each level in turn, for sessions that connect from then on."""
    alter = f"ALTER DATABASE {connection.ops.quote_name(connection.settings_dict['NAME'])}"
    with connection.cursor() as cursor:
        try:
            for level in LEVELS:
                cursor.execute(f"{alter} SET {SETTING} = '{level}'")
                yield level
        finally:
            cursor.execute(f"{alter} RESET {SETTING}")


def _anew(step: Callable[[], Any]) -> Callable[[], Any]:
    """The step, in a new connection of its session."""

    def act() -> Any:
        connection.close()
        return step()

    act.__qualname__ = f"connect anew, {getattr(step, '__qualname__', 'work')}"
    return act


ROW = Row(
    key="isolation",
    number="10",
    title="Transaction isolation",
    promise="Each statement sees what was committed before it, at whatever level the database runs by default.",
    mechanism="READ COMMITTED in each session and each BEGIN; a row is read after it is locked.",
    code=("config.database_url:READ_COMMITTED", "decisions.case:_lock"),
    settings=(SETTING,),
    proofs=[
        Proof(a_payload_waits_for_an_older_answer, without=[READ_COMMITTED], rounds=10, is_direct=True),
        Proof(two_people_decide, without=[READ_COMMITTED], rounds=10, is_direct=True),
    ],
)
