"""Prune: removes jobs that ended long ago, in small batches, so that the inbox stays small.

A source row whose job is gone would look new. So `pruned_before` of its source moves past the row in the transaction
that removes the job, and no ingest makes a job of a row below it (ingest.py, sweep.py). It moves only past rows that
have a job, never past one without, and never nearer to now than the age asked for and INBOX_LOOKBACK.
Sources by flag need none of this, because the flag of a content that had its job stays up; nor do jobs that the project
makes itself, because nothing makes them again.

Open jobs stay, whatever the time of their rows: nothing that happens to them depends on `pruned_before`. A DEAD job
that a later message may still wake stays too. So does the job of a row whose time lies in the future, or that no
watermark can pass: ingest would make it again.

Failure modes: a row commits so late that `pruned_before` has passed it. It never becomes a job; `count_late` counts
such rows. Any number may run at once: they skip each other's rows, and one that dies leaves nothing half done.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Max, Q
from django.db.models.functions import Coalesce, Now

from inbox import registry
from inbox.engine.audit import Change, job_facts, record
from inbox.engine.ingest import HAS_NO_JOB, lock_watermark
from inbox.events import Event, emit
from inbox.fields import READABLE_FROM
from inbox.models import InboxJob, PollWatermark
from inbox.models.job import JobQuerySet
from inbox.outcomes import WOKEN_KINDS
from inbox.registry import ByWatermark, Source
from inbox.statuses import Status

# Jobs per transaction: it holds the watermark for some 40 ms (benchmarks/prune.py), and ingest waits that long.
BATCH = 500
# Jobs per step by the primary key: an index for this would cost every job something.
STEP = 10_000
# Rows per look of count_late, as in sweep.py.
LATE_STEP = 50_000

# Which of these jobs may go, and up to where pruned_before moves with them. Each look for rows without a job begins
# where the last one ended. Times stay in the database: no driver reads them all.
SELECT_PRUNABLE = f"""
WITH mark AS MATERIALIZED (
    SELECT coalesce(pruned_before, '-infinity') AS floor,
           now() - %(age_s)s * interval '1 second' AS ceiling
      FROM poll_watermark WHERE source = %(source)s
), old AS MATERIALIZED (
    SELECT job.inbox_id, coalesce(s.created_at, job.source_created_at) AS at
      FROM integration_inbox AS job LEFT JOIN {{table}} AS s USING (message_id)
     WHERE job.inbox_id = ANY(%(inbox_ids)s)
), wanted AS MATERIALIZED (
    SELECT greatest(max(at), '{READABLE_FROM}+00') + interval '1 microsecond' AS until
      FROM old WHERE at < (SELECT ceiling FROM mark)
), reached AS MATERIALIZED (
    SELECT greatest((SELECT floor FROM mark),
                    least(until, (SELECT min(s.created_at) FROM {{table}} AS s
                                   WHERE s.created_at >= (SELECT floor FROM mark)
                                     AND s.created_at < (SELECT until FROM wanted)
                                     AND NOT s.is_deleted AND {HAS_NO_JOB}))) AS until
      FROM wanted
)
SELECT ARRAY(SELECT inbox_id FROM old WHERE at < reached.until ORDER BY inbox_id), until::text
  FROM reached WHERE until > '{READABLE_FROM}+00'
"""
MOVE_PRUNED_BEFORE = """
UPDATE poll_watermark SET pruned_before = greatest(pruned_before, %s::timestamptz), pruned_count = pruned_count + %s
 WHERE source = %s
"""
COUNT_LATE_ROWS = f"""
WITH step AS MATERIALIZED (
    SELECT s.message_id, s.created_at, s.is_deleted FROM {{table}} AS s
     WHERE (s.created_at, s.message_id) > (%(created_at)s::timestamptz, (%(message_id)s)::bigint)
       AND s.created_at < (SELECT pruned_before FROM poll_watermark WHERE source = %(source)s)
     ORDER BY s.created_at, s.message_id LIMIT %(step)s
)
SELECT (SELECT count(*) FROM step AS s WHERE NOT is_deleted AND {HAS_NO_JOB}), created_at::text, message_id
  FROM step ORDER BY created_at DESC, message_id DESC LIMIT 1
"""


# The object of the audit entry that every run of a prune begins with.
PRUNED_INBOX = "inbox"
SELECT_CUTOFF = "SELECT (now() - %s * interval '1 second')::text"


class Batch(NamedTuple):
    """Keys of old jobs of one source."""

    source: str
    inbox_ids: list[int]


def prunable(jobs: JobQuerySet, *, older_than_s: float, with_wakeable: bool = False) -> JobQuerySet:
    """Those of `jobs` that ended more than `older_than_s` seconds ago, by the database's clock.

    `with_wakeable`: also DEAD ones that a later message could bring back.
    """
    dead = Q(status=Status.DEAD)
    if not with_wakeable:
        dead &= ~Q(error_kind__in=WOKEN_KINDS)
    ended_at = Coalesce("finished_at", "updated_at")
    return jobs.alias(ended_at=ended_at).filter(
        Q(status=Status.DONE) | dead, ended_at__lt=Now() - timedelta(seconds=older_than_s)
    )


def old_jobs(*, older_than_s: float, with_wakeable: bool = False, batch_size: int = BATCH) -> Iterator[Batch]:
    """The prunable jobs in batches, oldest first; each batch is of one source."""
    last = -(2**63)
    while True:
        ahead = InboxJob.objects.filter(inbox_id__gt=last).order_by("inbox_id")[:STEP]
        limit = Now() - timedelta(seconds=older_than_s)
        is_old = Q(created_at__lt=limit) | Q(finished_at__lt=limit)
        step = ahead.aggregate(end=Max("inbox_id"), old=Count("inbox_id", filter=is_old))
        # Keys rise with created_at, but for transactions at the same time: behind a whole step of young ones is no old.
        if not step["old"]:
            return
        within = InboxJob.objects.filter(inbox_id__gt=last, inbox_id__lte=step["end"])
        found = prunable(within, older_than_s=older_than_s, with_wakeable=with_wakeable)
        rows = found.order_by("source", "inbox_id").values_list("source", "inbox_id")
        for source, group in groupby(rows, itemgetter(0)):
            inbox_ids = (inbox_id for _, inbox_id in group)
            while batch := list(islice(inbox_ids, batch_size)):
                yield Batch(source, batch)
        last = step["end"]


def count_prunable(*, older_than_s: float, with_wakeable: bool = False) -> Counter[tuple[str, str]]:
    """How many jobs would go at most, by (source, status); reads the whole table."""
    rows = prunable(InboxJob.objects.all(), older_than_s=older_than_s, with_wakeable=with_wakeable)
    return Counter({(row[0], row[1]): row[2] for row in rows.values_list("source", "status").annotate(n=Count("*"))})


def announce(*, older_than_s: float, who: str) -> None:
    """Write down in the audit that jobs which ended before that time may go. Before the first one of a run does.

    Sources without `pruned_before` leave no other trace, so a lost job would look like a pruned one, or the reverse.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SELECT_CUTOFF, [older_than_s])
        facts = {"ended_before": cursor.fetchone()[0]}
        reason = f"all that ended more than {older_than_s / 86400:g} days ago"
        record([Change(PRUNED_INBOX, None, facts)], who=who, verb="prune", reason=reason)


def prune(batch: Batch, *, older_than_s: float, with_wakeable: bool = False, who: str) -> Counter[str]:
    """Remove those of these jobs that may go, in one transaction; returns how many there were of each status.

    Jobs that others have locked, or that are open again, are left alone. Each DEAD job leaves an audit entry by `who`.
    Jobs of a source that this process does not know stay. Locks the watermark, then the jobs in key order. Raises
    OperationalError if ingest holds the watermark for too long.
    """
    source = registry.find(batch.source)
    if source is None:
        return Counter()
    with transaction.atomic():
        if isinstance(source.reads, ByWatermark):
            # First of all locks, as ingest does: neither ever waits for the other in a circle.
            lock_watermark(source)
        of_batch = InboxJob.objects.filter(inbox_id__any_of=batch.inbox_ids, source=source.name)
        inbox_ids = prunable(of_batch, older_than_s=older_than_s, with_wakeable=with_wakeable).lock_keys()
        if isinstance(source.reads, ByWatermark):
            inbox_ids = _move_past(source, source.reads, inbox_ids, older_than_s)
        facts = job_facts(inbox_ids)
        dead = [Change(f"job:{key}", fact, None) for key, fact in facts.items() if fact["status"] == Status.DEAD]
        record(dead, who=who, verb="prune", reason=f"ended more than {older_than_s / 86400:g} days ago")
        InboxJob.objects.filter(inbox_id__any_of=inbox_ids).delete()
    if inbox_ids:
        emit(Event.PRUNED, source=source.name, count=len(inbox_ids))
    return Counter(fact["status"] for fact in facts.values())


def _move_past(source: Source, table: ByWatermark, inbox_ids: Sequence[int], older_than_s: float) -> list[int]:
    """Move pruned_before past the rows of these jobs as far as it may; returns the jobs that lie below it then."""
    age_s = max(older_than_s, settings.INBOX_LOOKBACK)
    sql = SELECT_PRUNABLE.format(table=connection.ops.quote_name(table.table))
    with connection.cursor() as cursor:
        cursor.execute(sql, {"source": source.name, "inbox_ids": list(inbox_ids), "age_s": age_s})
        below, until = cursor.fetchone() or ([], None)
        if below:
            cursor.execute(MOVE_PRUNED_BEFORE, [until, len(below), source.name])
    return below


def count_late(source: Source) -> int:
    """At least how many rows of `source` committed after pruned_before had passed them: they are never taken in.

    A lower bound, as a source may delete rows whose jobs were pruned. Reads all rows below pruned_before, in steps.
    """
    table = source.reads
    mark = PollWatermark.objects.filter(source=source.name, pruned_before__isnull=False).first()
    if not isinstance(table, ByWatermark) or mark is None:
        return 0
    sql = COUNT_LATE_ROWS.format(table=connection.ops.quote_name(table.table))
    values: dict[str, Any] = {"source": source.name, "step": LATE_STEP}
    without_job, created_at, message_id = 0, "-infinity", -(2**63)
    with connection.cursor() as cursor:
        while True:
            cursor.execute(sql, values | {"created_at": created_at, "message_id": message_id})
            row = cursor.fetchone()
            if row is None:
                return max(without_job - mark.pruned_count, 0)
            count, created_at, message_id = row
            without_job += count
