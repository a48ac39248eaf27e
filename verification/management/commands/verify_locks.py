"""verify_locks: the report on every lock, proved on a scratch database beside the configured one; and the audit."""

import difflib
import json
from argparse import ArgumentTypeError
from dataclasses import asdict
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware

from inbox.db.storable import error_text
from inbox.management.base import DatabaseCommand
from inbox.monitoring.terminal import say
from verification.audit.run import audit
from verification.audit.text import as_text as findings_as_text
from verification.proof.stopping import Stopped, stops_raise
from verification.report.data import as_data
from verification.report.files import Unwritable, check_writable, write_whole
from verification.report.html import as_html
from verification.report.markdown import as_markdown
from verification.report.progress import ProofProgress
from verification.report.text import as_text
from verification.report.words import many
from verification.row import QUICK_ROUNDS, ROUNDS, Row
from verification.rows import ROWS
from verification.verify import make_report

# Options that make no sense with --audit, and the other way round.
OF_PROOFS = ("only", "quick", "scratch_url", "markdown", "html")


class Command(DatabaseCommand):
    help = (
        "Prove every lock: check the set-up of this database, read only; run each race on a scratch database, which is "
        "made and dropped again; and run it without each of its protections, where it must break. --audit looks at "
        "live data instead. Exits with 1 unless every row is proved."
    )
    database_wait_s = 5.0

    def add_arguments(self, parser: CommandParser) -> None:
        rows = ", ".join(row.key for row in ROWS)
        parser.add_argument("--only", nargs="+", type=one_row, metavar="ROW", help=f"only these rows: {rows}")
        text = f"at most {many(QUICK_ROUNDS, 'round')} of each race instead of {ROUNDS}"
        parser.add_argument("--quick", action="store_true", help=text)
        text = "make the scratch database on this server, with the role of this address"
        parser.add_argument("--scratch-url", metavar="URL", help=text)
        parser.add_argument("--json", action="store_true", help="print JSON instead of text")
        parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the report as Markdown")
        text = "also write the report as one HTML page, with the graph of what each proof saw"
        parser.add_argument("--html", type=Path, metavar="FILE", help=text)
        text = "look for traces of broken promises in live data instead; read only"
        parser.add_argument("--audit", action="store_true", help=text)
        text = "with --audit: only what was made since, such as 2031-02-03 or 2031-02-03T04:05Z"
        parser.add_argument("--since", type=time_of, metavar="TIME", help=text)

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_what_makes_no_sense(options)
        try:
            with stops_raise():
                self._audit(options) if options["audit"] else self._verify(options)
        except (KeyboardInterrupt, Stopped):
            raise CommandError("Stopped; nothing is left behind.") from None
        except Error as error:
            raise CommandError(f"the database refused: {error_text(error)}") from None

    def _verify(self, options: dict[str, Any]) -> None:
        report = make_report(
            [row for row in ROWS if options["only"] is None or row in options["only"]],
            is_quick=options["quick"],
            scratch_url=options["scratch_url"],
            is_shown=options["verbosity"] > 0,
        )
        text = json.dumps(as_data(report)) if options["json"] else ""
        try:
            # Before stdout, which may be full.
            if options["markdown"]:
                write_whole(options["markdown"], as_markdown(report))
            if options["html"]:
                write_whole(options["html"], as_html(report))
        except Unwritable as error:
            raise CommandError(str(error)) from None
        finally:
            say(self.stdout, text or as_text(report, is_detailed=options["verbosity"] > 1))
        if not report.is_good:
            raise CommandError("Not every row is proved.")

    def _audit(self, options: dict[str, Any]) -> None:
        with ProofProgress([], is_shown=options["verbosity"] > 0) as progress:
            findings = audit(since=options["since"], say=progress.say)
        result = {"is_good": not findings, "findings": [asdict(finding) for finding in findings]}
        self.print_result(result, findings_as_text(findings), is_json=options["json"])
        if findings:
            raise CommandError("The audit has findings.")


def refuse_what_makes_no_sense(options: dict[str, Any]) -> None:
    """Before any work. Raises CommandError with exit code 2."""
    if options["audit"]:
        given = [f"--{name.replace('_', '-')}" for name in OF_PROOFS if options[name]]
        if given:
            raise CommandError(f"--audit proves nothing, so it takes no {given[0]}", returncode=2)
    elif options["since"]:
        raise CommandError("--since needs --audit", returncode=2)
    files = [options[name] for name in ("markdown", "html") if options[name]]
    if len({file.resolve() for file in files}) < len(files):
        raise CommandError("--markdown and --html need different files", returncode=2)
    try:
        for file in files:
            check_writable(file)
    except Unwritable as error:
        raise CommandError(str(error), returncode=2) from None


def one_row(text: str) -> Row:
    """An argparse type: a row, by its key or number."""
    wanted = text.strip().lower()
    for row in ROWS:
        if wanted in (row.key.lower(), row.number.lower()):
            return row
    keys = [row.key for row in ROWS]
    close = difflib.get_close_matches(wanted, keys, 1)
    hint = f"; did you mean {close[0]}?" if close else "."
    raise ArgumentTypeError(f"there is no row {text!r}{hint} The rows are: {', '.join(keys)}")


def time_of(text: str) -> datetime:
    """An argparse type: a day or a time in ISO 8601; without a time zone, that of the settings."""
    try:
        day: date | None = parse_date(text)
        moment = datetime.combine(day, time()) if day else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"must be a time such as 2031-02-03 or 2031-02-03T04:05Z, got {text!r}")
    return make_aware(moment) if is_naive(moment) else moment
