"""verify_locks: the report on every lock, proved on the configured database."""

import sys
import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from inbox.management.base import DatabaseCommand
from inbox.monitoring.terminal import say
from verification.proof.parent import ProofsBrokeOff, prove_on
from verification.proof.scratch import NoScratch, scratch_database
from verification.proof.stopping import Stopped
from verification.report.model import Report, RowReport
from verification.report.text import as_text
from verification.row import QUICK_ROUNDS, ROUNDS
from verification.rows import ROWS
from verification.set_up.inspect import inspect

if TYPE_CHECKING:
    from verification.results import ProofResult


class Command(DatabaseCommand):
    help = "Proves every lock on a scratch database, with and without its protection, and checks the set-up."

    def add_arguments(self, parser: CommandParser) -> None:
        keys = [row.key for row in ROWS]
        parser.add_argument("--only", nargs="+", choices=keys, default=keys, metavar="ROW", help=", ".join(keys))
        parser.add_argument("--quick", action="store_true", help="fewer rounds, for CI: at most 20 s")
        parser.add_argument("--scratch-url", metavar="URL", help="make the scratch database on this server instead")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        rows = [row for row in ROWS if row.key in options["only"]]
        set_up = inspect(rows)
        results: list[ProofResult] = []
        url = options["scratch_url"] or settings.DATABASE_DIRECT_URL or settings.DATABASE_URL
        rounds = QUICK_ROUNDS if options["quick"] else ROUNDS
        why_no_proofs = None
        try:
            with scratch_database(url) as scratch:
                set_up.facts.append(("sessions of the proofs reach the server", scratch.way))
                prove_on(scratch, [row.key for row in rows], rounds=rounds, say=self._say, tell=results.append)
        except NoScratch as error:
            why_no_proofs = str(error)
        except (ProofsBrokeOff, Stopped) as error:
            raise CommandError(str(error)) from None
        reports = [
            RowReport(row, set_up.findings.get(row.key, []), [one for one in results if one.row == row.key])
            for row in rows
        ]
        report = Report(reports, set_up, why_no_proofs, time.monotonic() - began)
        say(self.stdout, as_text(report))
        if not report.is_good:
            raise CommandError("Not every row is proved.")

    def _say(self, text: str) -> None:
        if sys.stderr.isatty():
            self.stderr.write(text)
