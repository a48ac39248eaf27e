"""How the report says things, the same in each of its formats."""

from verification.findings import Finding
from verification.report.model import Report, RowReport
from verification.report.places import NoSuchPlace, find_place
from verification.results import Removal, Run, Verdict
from verification.row import QUICK_ROUNDS, ROUNDS, Row

ALL_PROVED = "Nothing. After a failover, a restore or an incident, also look at the live data: verify_locks --audit."
MEND = "Mend the set-up: each finding names the command. Then run verify_locks again."
BROKE = (
    "A promise broke while all its protections were in place. That is a bug, and the same can happen to live data: "
    "run verify_locks --audit, keep this report (--html FILE) and report it."
)
NOT_SEEN = (
    "A race that did not break without its protection, or that could not run, proves nothing. Run it again with --only "
    "on a calm machine. If it stays so, report it: the promise may hold, but nothing shows it."
)
NO_PROOFS = "Some proofs are missing. Remove what prevents them, or name another server with --scratch-url."


def took(seconds: float) -> str:
    """A duration: "0.4 s", "12 s", "2 min 8 s"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def many(number: int, word: str) -> str:
    """Such as "1 round", "20 rounds"."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def head_lines(report: Report) -> list[tuple[str, str]]:
    """The head, as (name, value): where and when, then the facts of the set-up that it does not say already."""
    head = report.head
    kind, rounds = ("quick", QUICK_ROUNDS) if head.is_quick else ("full", ROUNDS)
    proofs = f"on {head.proved_on}" if head.proved_on else "none"
    start, end = head.load
    lines = {
        "when": f"{head.began:%Y-%m-%d %H:%M:%S %Z}, took {took(head.took_s)}",
        "run": f"{kind}: at most {many(rounds, 'round')} of each race",
        "server": head.server,
        "database": head.database,
        "proofs": f"{proofs}; why some are missing: {report.why_no_proofs}" if report.why_no_proofs else proofs,
        "load": f"{start:.1f} at the start, {end:.1f} at the end, on {many(head.processors, 'processor')}",
    }
    facts = [(name, value) for name, value in report.set_up.facts if name not in lines]
    return [*lines.items(), *facts]


def headline(report: Report) -> str:
    """The result in one sentence."""
    verdicts = report.verdicts
    if report.is_good:
        return "The one row is proved." if len(report.rows) == 1 else f"All {len(report.rows)} rows are proved."
    words = {
        Verdict.FAILED: "failed",
        Verdict.NOT_PROVED: "not proved",
        Verdict.SET_UP_ONLY: "checked for their set-up only",
        Verdict.PROVED: "proved",
    }
    counts = ", ".join(f"{verdicts[verdict]} {text}" for verdict, text in words.items() if verdicts[verdict])
    return f"Not every row is proved. Of {many(len(report.rows), 'row')}: {counts or 'none'}."


def totals(report: Report) -> str:
    """All that was tried, in one sentence or two."""
    rows = report.rows
    rounds, broken = sum(row.rounds for row in rows), sum(row.broken_rounds for row in rows)
    removals, seen = sum(row.removals for row in rows), sum(row.removals_seen for row in rows)
    if not any(row.proofs for row in rows):
        return "No race was run."
    tried = (
        f"{many(sum(len(row.proofs) for row in rows), 'race')}, {many(rounds, 'round')}, "
        f"{many(broken, 'broken round')}, {many(sum(row.deadlocks for row in rows), 'deadlock')}."
    )
    taken_out = f" A protection was taken out {many(removals, 'time')}; each time a race must break, and {seen:,} did."
    return tried + (taken_out if removals else "")


def next_steps(report: Report) -> list[str]:
    """The next steps, most urgent first."""
    if report.is_good:
        return [ALL_PROVED]
    findings = report.other_findings or any(row.findings for row in report.rows)
    steps = {
        BROKE: any(row.broken_rounds for row in report.rows),
        MEND: findings,
        NOT_SEEN: any(proof.verdict is Verdict.NOT_PROVED for row in report.rows for proof in row.proofs),
        NO_PROOFS: report.why_no_proofs,
    }
    return [step for step, is_needed in steps.items() if is_needed]


COLUMNS = ("set-up", "rounds", "broken", "breaks without")


def columns_of(row: RowReport) -> tuple[str, str, str, str]:
    """Values of COLUMNS of a row: the last is how many of its protections were seen to matter; "-" without proofs."""
    set_up = "wrong" if row.findings else "ok"
    if not row.proofs:
        return set_up, "-", "-", "-"
    seen = f"{row.removals_seen} of {row.removals}" if row.removals else "-"
    return set_up, f"{row.rounds:,}", f"{row.broken_rounds:,}", seen


def run_words(run: Run) -> str:
    """How the rounds of a race ended, with all protections in place."""
    deadlocks = many(run.deadlocks, "deadlock")
    return f"{many(run.rounds, 'round')}, {run.broken_rounds} broken, {deadlocks}, {took(run.took_s)}"


def broken_words(run: Run) -> list[str]:
    """All that went wrong in these rounds: promises that broke, or why the race could not run."""
    broken = [f"BROKEN: {text}" for text in run.broken]
    return broken if run.error is None else [*broken, f"could not run: {run.error}"]


def removal_words(removal: Removal) -> str:
    """How the race ended without the protection."""
    run = removal.run
    if removal.is_seen:
        more = f", and {len(run.broken) - 1} more" if len(run.broken) > 1 else ""
        return f"broke in round {run.rounds}: {run.broken[0]}{more}"
    if run.error is not None:
        return f"COULD NOT RUN: {run.error}"
    return f"DID NOT BREAK in {many(run.rounds, 'round')}"


def finding_words(finding: Finding, row: Row | None = None) -> str:
    """A finding, and the promise that it endangers; the promise of the `row` that it stands at is not said again."""
    wrong = f"{finding.about} {finding.what}."
    if row and finding.endangers.rstrip(".") == row.promise.rstrip("."):
        return wrong
    return f"{wrong} Endangered: {finding.endangers.rstrip('.')}."


def place_words(row: Row) -> list[str]:
    """Where it stands: "inbox/engine/claim.py:41 MARK_CLAIMED"."""
    return [_place_words(code) for code in row.code]


def _place_words(code: str) -> str:
    try:
        place = find_place(code)
    except NoSuchPlace as error:
        return f"not found: {error}"
    return f"{place} {place.name}"
