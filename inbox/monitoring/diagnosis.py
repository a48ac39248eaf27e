"""Stall: tells whether the inbox stands still, why, and what to do about it.

It stands still if work is there and nobody is, if a claim is older than any reclaimer would leave it, if work is due
for long and nothing finishes, if a service that jobs need is long not there, if rows wait for long to be taken in, or
if a job is due that nothing here can handle.
What can go wrong: one check looks at one moment, so right after an outage it still says what was.
Settings: INBOX_STALE_AFTER.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from inbox import conf, registry
from inbox.models import InboxJob
from inbox.monitoring.age import in_words
from inbox.monitoring.snapshot import Overview
from inbox.monitoring.sources import SourceState, next_try

STALLED_AFTER_S = 300.0
# Of INBOX_STALE_AFTER. Reclaimers look every quarter of it; a claim that is older by a half has none.
STALE_MARGIN = 1.5


@dataclass(frozen=True, slots=True)
class Stall:
    """Why the inbox stands still, and what to do, each a sentence for a person."""

    why: str
    do: str


def find_stalls(seen: Overview, *, stalled_after_s: float = STALLED_AFTER_S) -> list[Stall]:
    """All reasons to say that the inbox stands still, the weightiest first; none if it is fine."""
    return [
        *(_nobody_works(seen) or _nothing_finishes(seen, stalled_after_s)),
        *_claims_too_old(),
        *_services_not_there(seen, stalled_after_s),
        *_rows_not_taken_in(seen, stalled_after_s),
        *_nobody_can(seen),
    ]


def _nobody_works(seen: Overview) -> list[Stall]:
    stalls = []
    for command in sorted({source.command for source in registry.sources()}):
        names = {source.name for source in registry.sources_of(command)}
        due = [group for group in seen.open if group.is_due and group.has_handler and group.source in names]
        if due and not seen.owners.alive(command):
            count = sum(group.count for group in due)
            at_least = "+" * any(group.source in seen.cut_sources for group in due)
            why = f"{_are(count, 'job', at_least)} due and no {command} gives a sign of life"
            stalls.append(Stall(why, f"start one: manage.py {command}"))
    return stalls


def _claims_too_old() -> list[Stall]:
    limit_s = conf.stale_after_s() * STALE_MARGIN
    count = InboxJob.objects.stale(limit_s).count()
    if not count:
        return []
    why = f"{_are(count, 'job')} PROCESSING for more than {in_words(limit_s)}, and not taken back"
    return [Stall(why, "type: manage.py reclaim_stuck_jobs; if that takes none, end the session that has them locked")]


def _nothing_finishes(seen: Overview, stalled_after_s: float) -> list[Stall]:
    oldest_s = max(
        (group.oldest_s or 0.0 for group in seen.open if group.is_due and group.has_handler and not group.is_paused),
        default=0.0,
    )
    if oldest_s <= stalled_after_s or _has_finished_within(seen, stalled_after_s):
        return []
    why = f"jobs are due for {in_words(oldest_s)}, and none has finished for {in_words(stalled_after_s)}"
    return [Stall(why, "look at what the workers log, and at the warnings of manage.py inbox_status")]


def _has_finished_within(seen: Overview, age_s: float) -> bool:
    """Among the newest jobs it is known; else ask the whole table, which only happens when something looks wrong."""
    last_s = seen.ended.last_finished_s
    if last_s is not None and last_s <= age_s:
        return True
    if not seen.ended.is_partial:
        return False
    if seen.is_bounded:
        return _workers_say_so(age_s)
    return InboxJob.objects.filter(finished_at__gt=Now() - timedelta(seconds=age_s)).exists()


# What each worker had done in all when it last said so, and before that time.
DONE_WITHIN = """
SELECT EXISTS (
    SELECT 1 FROM (SELECT worker_id, max(done_count + failed_count + dead_count) AS after FROM inbox_tally
                    WHERE minute >= now() - %(age_s)s * interval '1 second' GROUP BY worker_id) AS late
     WHERE after > coalesce((SELECT done_count + failed_count + dead_count FROM inbox_tally
                              WHERE worker_id = late.worker_id AND minute < now() - %(age_s)s * interval '1 second'
                                AND minute > now() - interval '2 days'
                              ORDER BY minute DESC LIMIT 1), 0))
"""


def _workers_say_so(age_s: float) -> bool:
    """By their tallies, to the minute: finished_at has no index, and a page has no time to read all jobs."""
    with connection.cursor() as cursor:
        cursor.execute(DONE_WITHIN, {"age_s": age_s})
        return cursor.fetchone()[0]


def _services_not_there(seen: Overview, stalled_after_s: float) -> list[Stall]:
    waiting = {group.source for group in seen.open if group.is_paused}
    return [
        Stall(said, "see that what it calls is up, and its address right; workers go on by themselves then")
        for source, said in pauses(seen)
        if source.source in waiting and source.pause and source.pause.for_s > stalled_after_s
    ]


def pauses(seen: Overview) -> list[tuple[SourceState, str]]:
    """The sources that pause, each with a sentence for a person."""
    return [
        (source, f"{source.source} pauses since {pause.since}: {pause.reason}; {next_try(pause)}")
        for source in seen.sources
        if (pause := source.pause)
    ]


def _rows_not_taken_in(seen: Overview, stalled_after_s: float) -> list[Stall]:
    return [_row_stall(source) for source in seen.sources if _waits_too_long(source, stalled_after_s)]


def _waits_too_long(source: SourceState, limit_s: float) -> bool:
    """A backlog that is being taken in moves the watermark."""
    has_moved = source.moved_s is not None and source.moved_s <= limit_s
    return source.rows_to_take_in > 0 and (source.rows_wait_s or 0.0) > limit_s and not has_moved


def _row_stall(source: SourceState) -> Stall:
    rows = f"{source.rows_to_take_in:,}{'+' * source.rows_at_least}"
    why = f"rows of {source.source} to take in: {rows}, the oldest waits for {in_words(source.rows_wait_s)}"
    return Stall(why, f"start a worker, or look at what it logs: manage.py {source.command}")


def _nobody_can(seen: Overview) -> list[Stall]:
    groups = [group for group in seen.open if group.is_due and not group.has_handler]
    if not groups:
        return []
    count = sum(group.count for group in groups)
    names = sorted({f"{group.source}/{group.message_type}" for group in groups})
    more = f" and {len(names) - 3} more kinds" if len(names) > 3 else ""
    at_least = "+" * any(group.source in seen.cut_sources for group in groups)
    why = f"{_are(count, 'job', at_least)} due that nothing here can handle: {', '.join(names[:3])}{more}"
    return [Stall(why, "start the version of this program that has a handler for them")]


def _are(count: int, what: str, more: str = "") -> str:
    return f"{count:,} {what} is" if count == 1 and not more else f"{count:,}{more} {what}s are"
