"""Runs the proofs of a row, with all protections and without each."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from django.db import connection

from verification.proof.stage import Stage
from verification.results import ProofResult, Removal, Run
from verification.row import TRIES, Proof, Protection, Race, Row

SELECT_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def prove(row: Row, proof: Proof, *, most_rounds: int, say: Callable[[str], None]) -> ProofResult:
    """Run one proof: at most `most_rounds` rounds as it is, then without each protection until it breaks."""
    name = f"{row.number} {row.title}"
    say(f"{name}: {_words(proof.race)}")
    run = _run(proof.race, min(proof.rounds, most_rounds), until_broken=False)
    removals = []
    for protection in proof.without:
        say(f"{name}: {_words(proof.race)}, without: {protection.what}")
        removals.append(Removal(protection.name, protection.what, _run_without(protection, proof.race)))
    return ProofResult(row.key, _words(proof.race), _story(proof.race), run, removals)


def _run_without(protection: Protection, race: Race) -> Run:
    with ExitStack() as stack:
        try:
            stack.enter_context(protection.without())
        except Exception as raised:
            # It is gone from the product already, or looks different: this row is not proved, and those after it go on.
            return Run(0, 0, [], 0, 0.0, [], error=f"it can't be taken out: {raised}")
        return _run(race, TRIES, until_broken=True)


def _run(race: Race, rounds: int, *, until_broken: bool) -> Run:
    began, deadlocks = time.monotonic(), _deadlocks()
    stage = Stage()
    done = broken_rounds = 0
    first: list[str] = []
    moments, error = [], None
    try:
        for _ in range(rounds):
            stage.begin_round()
            broken = race(stage)
            done += 1
            if broken:
                broken_rounds += 1
            if not first:
                first, moments = broken, stage.moments
            if broken and until_broken:
                break
    except Exception as raised:
        # A race that can't be run proves nothing; the rows after it go on.
        error, moments = f"{type(raised).__name__}: {raised}".strip(), stage.moments
    finally:
        stage.close()
    return Run(
        rounds=done,
        broken_rounds=broken_rounds,
        broken=first[:5],
        deadlocks=_deadlocks() - deadlocks,
        took_s=round(time.monotonic() - began, 2),
        moments=moments,
        error=error,
    )


def _deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_DEADLOCKS)
        return cursor.fetchone()[0]


def _words(race: Race) -> str:
    return race.__name__.replace("_", " ")


def _story(race: Race) -> str:
    return " ".join((race.__doc__ or "").split())
