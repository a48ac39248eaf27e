"""Row 10, transaction isolation: a transaction that has waited for a lock sees what its holder wrote.

    a case is affirmed; the default level of the database, or of the role, is changed, and A and B connect anew
A   applies an older, contrary answer: it ends what was said before the newer one    | held before it commits
B   has a payload that was said in between: begins, and waits for the lock of the packet
A   commits
B   reads the messages of the case: at READ COMMITTED with that of A, else as they were when it began
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from django.db import connection

from decisions.sources import CLINICAL_DECISION
from decisions.staff.approve import approve
from verification import cases, messages
from verification.proof.stage import Stage
from verification.protections.isolation import READ_COMMITTED
from verification.row import Proof, Row

SETTING = "default_transaction_isolation"
DATABASE, ROLE = "DATABASE", "ROLE CURRENT_USER IN DATABASE"
LEVELS = (
    ("read committed", DATABASE),
    ("repeatable read", DATABASE),
    ("repeatable read", ROLE),
    ("serializable", ROLE),
)


@cases.tidy
def a_payload_waits_for_an_older_answer(stage: Stage) -> list[str]:
    """The same messages lead to the same decision at each level: round 2, whose payload is not sent yet."""
    return _at_each_level(partial(_answer_and_payload, stage))


@cases.tidy
def two_people_decide(stage: Stage) -> list[str]:
    """A and B approve the same packet: B is told by whom it was decided, and not that the database gave up."""
    return _at_each_level(partial(_two_people, stage))


def _at_each_level(race: Callable[[], list[str]]) -> list[str]:
    broken = []
    for level, whose in LEVELS:
        with _default(level, whose):
            broken += [f"at {level.upper()} of the {whose.split()[0]}, {text}" for text in race()]
    return broken


def _answer_and_payload(stage: Stage) -> list[str]:
    packet = cases.new_packet()
    messages.write_answer(packet, "A", second=10)
    cases.work_off(CLINICAL_DECISION)
    older = cases.working_on("clinical_decision", messages.write_answer(packet, "N", second=5))
    payload = cases.working_on("generated_payload", messages.write_payload(packet, "A", second=7))
    results = cases.one_after_the_other(stage, cases.anew(older), cases.anew(payload), gate="inbox.engine.work:finish")
    version = cases.active(packet)
    found = (version.decision_round, version.esmd_request_status) if version else None
    return cases.errors_of(*results) + cases.other_than((2, "NOT_SENT"), "round and payload", found)


def _two_people(stage: Stage) -> list[str]:
    packet = cases.new_packet()
    steps = cases.deciding(approve, packet), cases.deciding(approve, packet, by="grace")
    results = cases.one_after_the_other(stage, *map(cases.anew, steps), gate="decisions.staff.decide:write_versions")
    return cases.second_is_told(packet, *results)


@contextmanager
def _default(level: str, whose: str) -> Iterator[None]:
    """Sessions of the scratch database that connect from now on run at this level by default."""
    alter = f"ALTER {whose} {connection.ops.quote_name(connection.settings_dict['NAME'])}"
    with connection.cursor() as cursor:
        cursor.execute(f"{alter} SET {SETTING} = '{level}'")
        try:
            yield
        finally:
            cursor.execute(f"{alter} RESET {SETTING}")


ROW = Row(
    key="isolation",
    number="10",
    title="Transaction isolation",
    promise="Each statement sees what was committed before it, at whatever level the database runs by default.",
    mechanism="READ COMMITTED in each session and each BEGIN; a row is read after it is locked.",
    code=("inbox.db.session_settings:SESSION_SETTINGS", "inbox.db.session_proof:prove", "decisions.case:_lock"),
    settings=(SETTING,),
    proofs=[
        Proof(a_payload_waits_for_an_older_answer, without=[READ_COMMITTED], rounds=5, is_direct=True),
        Proof(two_people_decide, without=[READ_COMMITTED], rounds=5, is_direct=True),
    ],
)
