"""Made-up reports: with every verdict, and with names that would do harm if a format didn't escape them."""

from datetime import UTC, datetime

from verification.findings import Finding, SetUp
from verification.proof.stage import Moment
from verification.report.model import Head, Report, RowReport
from verification.results import ProofResult, Removal, Run
from verification.row import Proof, Protection, Row

SCRIPT = "<script>alert(1)</script>"
STEERS = "\x1b[2Jred\x07"

MOMENTS = [
    Moment(0.1, "A", "claim"),
    Moment(0.2, "B", "claim"),
    Moment(1.0, "A", "held before _mark"),
    Moment(1.5, "B", f"waits for a lock: UPDATE {SCRIPT} …"),
    Moment(2.0, "A", "goes on"),
    Moment(3.0, "A", "ended"),
    Moment(3.5, "B", "UniqueViolation: duplicate key"),
]


def run(rounds=20, broken=(), moments=MOMENTS, error=None):
    return Run(rounds, 1 if broken else 0, list(broken), deadlocks=0, took_s=1.23, moments=moments, error=error)


def race(stage):
    """Two sessions claim."""


def row(key, number, title, proofs=1):
    protection = Protection("skips", "a claim skips what is locked", lambda: None)
    return Row(
        key=key,
        number=number,
        title=title,
        promise=f"Two claims never share a job, says {title}.",
        mechanism="FOR UPDATE | SKIP LOCKED",
        code=("inbox.engine.claim:MARK_CLAIMED",),
        objects=("index inbox_due",),
        settings=("lock_timeout",),
        proofs=[Proof(race, without=[protection])] * proofs,
    )


def proof(key, as_it_is, *without):
    removals = [Removal("skips", "a claim skips what is locked", one) for one in without]
    return ProofResult(key, "two sessions claim", "No job is in two claims.", as_it_is, removals)


SEEN = run(1, ["job 5 is in 2 claims"])
FINDING = Finding("index inbox_due", "is missing", "a job is found in time", "CREATE INDEX inbox_due ON …")
HEAD = Head(
    "PostgreSQL 18.1",
    "serviceops at db.example:5432, as serviceops_web",
    "a scratch database beside it, reached directly",
    datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC),
    took_s=128.4,
    is_quick=False,
    load=(0.5, 1.25),
    processors=2,
)


def proved_report():
    """A report of one row, which is proved."""
    one = RowReport(row("good", "1", "Good row"), [], [proof("good", run(), SEEN)])
    return Report(HEAD, [one])


def mixed_report():
    """A report of a row of each verdict, and of what makes it."""
    harmful = f"{SCRIPT} {STEERS} | `tick` *star*"
    rows = [
        RowReport(row("good", "1", "Good row"), [], [proof("good", run(), SEEN)]),
        RowReport(row("set-up", "2", "Missing index"), [FINDING], [proof("set-up", run(), SEEN)]),
        RowReport(row("broken", "3", "Broken row"), [], [proof("broken", run(broken=[f"job 7 {harmful}"]), SEEN)]),
        RowReport(row("green", "R1", "Green without"), [], [proof("green", run(), SEEN, run())]),
        RowReport(row("error", "R2", harmful), [], [proof("error", run(0, error=f"NotStill: {harmful}"))]),
        RowReport(row("half", "P1", "Half a row", proofs=2), [], [proof("half", run(), SEEN)]),
        RowReport(row("unrun", "P2", "Row without a proof"), [], []),
    ]
    other = Finding("grants of other_role", "allow UPDATE", "all of it", "REVOKE UPDATE …")
    set_up = SetUp({"set-up": [FINDING], "": [other]}, [("data checksums", "on")])
    return Report(HEAD, rows, set_up, why_no_proofs="the process that proves ended with exit code -9")
