"""manage.py requeue_jobs: runs DEAD, FAILED or WAITING jobs again, for a reason that is kept in the audit.

Failure modes: the database refuses, or the command is stopped. Each batch is a transaction, so nothing is left half
done and the same command does the rest.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.db.models import Count

from inbox.management.base import DatabaseCommand, counted, in_batches, inbox_id, some_text, user_at_host
from inbox.management.progress import Progress
from inbox.models import InboxJob
from inbox.models.job import JobQuerySet
from inbox.operations.batches import Done, apply_in_batches
from inbox.operations.verbs import REQUEUE
from inbox.statuses import Status
from inbox.worker.signals import Stop

# Lines about single jobs; nobody reads more.
SHOWN = 20
WHY_NOT = {
    Status.NEW: "is NEW already",
    Status.PROCESSING: "is PROCESSING, a worker has it: skipped",
    Status.DONE: "has become DONE",
}
OTHER = "does not match the other options: skipped"


class Command(DatabaseCommand):
    help = (
        "Run DEAD, FAILED or WAITING jobs again, with a fresh set of attempts. Options that choose jobs are combined "
        "with AND; at least one of --id, --tracking-id, --message-type and --error-text is needed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--id", type=inbox_id, nargs="+", action="extend", metavar="N", help="these inbox ids")
        parser.add_argument("--tracking-id", type=UUID, metavar="UUID", help="the jobs of this case")
        parser.add_argument("--message-type", type=some_text, metavar="T", help="jobs of this message type")
        text = "jobs whose last error contains this text"
        parser.add_argument("--error-text", type=some_text, metavar="TEXT", help=text)
        parser.add_argument("--source", type=some_text, metavar="S", help="of these, only jobs of this source")
        statuses = [str(status) for status in REQUEUE.takes]
        text = "of these, only jobs of this status"
        parser.add_argument("--status", type=str.upper, choices=statuses, help=text)
        text = "why; kept in the audit, so no patient data"
        parser.add_argument("--reason", type=some_text, required=True, metavar="TEXT", help=text)
        parser.add_argument("--who", type=some_text, metavar="NAME", help="kept in the audit (default user@host)")
        parser.add_argument("--dry-run", action="store_true", help="only say how many jobs would be requeued")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if not any(options[name] for name in ("id", "tracking_id", "message_type", "error_text")):
            raise CommandError("choose jobs by --id, --tracking-id, --message-type or --error-text", returncode=2)
        _refuse_wrong_ids(options["id"] or [])
        if options["dry_run"]:
            self._say_what_it_would_be(options)
        else:
            self._requeue(options)

    def _say_what_it_would_be(self, options: dict[str, Any]) -> None:
        rows = REQUEUE.possible(chosen(options)).values_list("status").annotate(count=Count("*")).order_by("status")
        by_status = dict(rows)
        result = {"would_be_requeued": sum(by_status.values()), "by_status": by_status}
        self.print_result(result, counted(by_status, "would be requeued"), is_json=options["json"])

    def _requeue(self, options: dict[str, Any]) -> None:
        done = Done()
        with in_batches(lambda: self._report(done, options)) as stop:
            _requeue_until(stop, done, options)
            in_use = [f"job {number} was in use: skipped" for number in done.left_alone]
            for line in shortened(in_use + _why_not(options["id"] or [], done)):
                self.stderr.write(line)

    def _report(self, done: Done, options: dict[str, Any]) -> None:
        result = {"requeued": len(done.inbox_ids), "left_alone": done.left_alone}
        self.print_result(result, f"{len(done.inbox_ids):,} requeued", is_json=options["json"])


def _requeue_until(stop: Stop, done: Done, options: dict[str, Any]) -> None:
    """Requeue until asked to stop. Fill `done` on the way, so that it is known whatever happens."""
    jobs = chosen(options)
    who = options["who"] or user_at_host()
    with Progress(count_total=REQUEUE.possible(jobs).count) as progress:
        for batch in apply_in_batches(REQUEUE, jobs, who=who, reason=options["reason"]):
            done.inbox_ids += batch.inbox_ids
            done.left_alone += batch.left_alone
            progress.advance(len(batch.inbox_ids))
            if stop.is_asked:
                return


def chosen(options: dict[str, Any]) -> JobQuerySet:
    """The jobs that the options choose, of whatever status."""
    conditions = {
        "inbox_id__any_of": options["id"],
        "decision_tracking_id": options["tracking_id"],
        "message_type": options["message_type"],
        "last_error__icontains": options["error_text"],
        "source": options["source"],
        "status": options["status"],
    }
    return InboxJob.objects.filter(**{name: value for name, value in conditions.items() if value is not None})


def shortened(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = [f"and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def _status_of(inbox_ids: Iterable[int]) -> dict[int, str]:
    return dict(InboxJob.objects.filter(inbox_id__any_of=inbox_ids).values_list("inbox_id", "status"))


def _refuse_wrong_ids(inbox_ids: list[int]) -> None:
    """Raise CommandError: one wrong id makes the whole list suspect, so nothing is changed."""
    known = _status_of(inbox_ids)
    wrong = [f"there is no job {number}" for number in dict.fromkeys(inbox_ids) if number not in known]
    wrong += [f"job {number} is DONE, and DONE is final" for number, status in known.items() if status == Status.DONE]
    if wrong:
        raise CommandError("\n".join([*shortened(wrong), "Nothing was changed."]))


def _why_not(inbox_ids: list[int], done: Done) -> list[str]:
    """A line for each named job that was not requeued, and was not in use either."""
    others = set(inbox_ids).difference(done.inbox_ids, done.left_alone)
    reasons = {number: WHY_NOT.get(Status(status), OTHER) for number, status in _status_of(others).items()}
    return [f"job {number} {why}" for number, why in sorted(reasons.items())]
