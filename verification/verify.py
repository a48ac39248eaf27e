"""Collects the three kinds of evidence of rows: the set-up, the proofs, and the proofs without the protections."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic

from django.conf import settings

from verification.proof.parent import ProofsBrokeOff, prove_on
from verification.proof.scratch import NoScratch, scratch_database
from verification.report.head import load_now, server_and_database
from verification.report.model import Head, Report, RowReport
from verification.report.progress import ProofProgress
from verification.results import ProofResult
from verification.row import QUICK_ROUNDS, ROUNDS, Row
from verification.set_up.inspect import inspect


def make_report(rows: Sequence[Row], *, is_quick: bool, scratch_url: str | None, is_shown: bool) -> Report:
    """Verify these rows; the scratch database is made beside the configured one, or on the server of `scratch_url`.

    Shows its progress on stderr if that `is_shown`. Raises Stopped after a signal.
    """
    began, clock, load = datetime.now(UTC), monotonic(), load_now()
    server, database = server_and_database()
    set_up = inspect(rows)
    results: list[ProofResult] = []
    proved_on = why_no_proofs = None

    with ProofProgress(rows, is_shown=is_shown) as progress:

        def tell(result: ProofResult) -> None:
            results.append(result)
            progress.proved(result)

        try:
            beside = settings.DATABASE_DIRECT_URL or settings.DATABASE_URL
            with scratch_database(beside if scratch_url is None else scratch_url) as scratch:
                where = "beside it" if scratch_url is None else "on the server of --scratch-url"
                proved_on = f"a scratch database {where}, reached {scratch.way}"
                keys = [row.key for row in rows]
                prove_on(scratch, keys, rounds=QUICK_ROUNDS if is_quick else ROUNDS, say=progress.say, tell=tell)
        except (NoScratch, ProofsBrokeOff) as error:
            why_no_proofs = str(error)
    head = Head(
        server=server,
        database=database,
        proved_on=proved_on,
        began=began,
        took_s=round(monotonic() - clock, 1),
        is_quick=is_quick,
        load=(load, load_now()),
        processors=os.cpu_count() or 1,
    )
    reports = [
        RowReport(row, set_up.findings.get(row.key, []), [one for one in results if one.row == row.key]) for row in rows
    ]
    return Report(head, reports, set_up, why_no_proofs)
