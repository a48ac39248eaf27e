"""Collects the three kinds of evidence of rows: the set-up, the proofs, and the proofs without the protections."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic

from verification.proof.parent import ProofsBrokeOff, prove_on
from verification.proof.scratch import NoScratch, scratch_database
from verification.report.head import load_now, server_and_database
from verification.report.model import Head, Report, RowReport
from verification.report.progress import ProofProgress
from verification.results import ProofResult
from verification.row import QUICK_ROUNDS, ROUNDS, Row
from verification.set_up.inspect import inspect


def make_report(rows: Sequence[Row], *, is_quick: bool, scratch_url: str, is_shown: bool) -> Report:
    """Verify these rows; the scratch database is made on the server of `scratch_url`. Shows its progress on stderr."""
    began, clock, load = datetime.now(UTC), monotonic(), load_now()
    server, database = server_and_database()
    set_up = inspect(rows)
    results: list[ProofResult] = []
    why_no_proofs = None

    with ProofProgress(rows, is_shown=is_shown) as progress:

        def tell(result: ProofResult) -> None:
            results.append(result)
            progress.proved(result)

        try:
            with scratch_database(scratch_url) as scratch:
                set_up.facts.append(("sessions of the proofs reach the server", scratch.way))
                keys = [row.key for row in rows]
                prove_on(scratch, keys, rounds=QUICK_ROUNDS if is_quick else ROUNDS, say=progress.say, tell=tell)
        except (NoScratch, ProofsBrokeOff) as error:
            why_no_proofs = str(error)
    head = Head(server, database, began, monotonic() - clock, is_quick, (load, load_now()), os.cpu_count() or 1)
    reports = [
        RowReport(row, set_up.findings.get(row.key, []), [one for one in results if one.row == row.key]) for row in rows
    ]
    return Report(head, reports, set_up, why_no_proofs)
