"""Stall: tells whether the inbox is stalled, why, and what to do about it.

It is stalled if work is due and nothing runs that does it, if a claim is older than any reclaimer would leave it, if
work has long been due and nothing finishes, if the database has long refused jobs, if a service that jobs need has long
been unavailable, if rows have long waited to be ingested, or if a job is due that nothing here can handle.
Failure modes: one check looks at one moment, so right after an outage it still reports the outage.
Settings: INBOX_STALE_AFTER.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from inbox import registry
from inbox.models import InboxJob
from inbox.monitoring.age import in_words
from inbox.monitoring.open_jobs import OpenJobs
from inbox.monitoring.snapshot import Snapshot
from inbox.monitoring.sources import CLOCKS_DIFFER_S, Pause, SourceState

STALLED_AFTER_S = 300.0
# Times INBOX_STALE_AFTER. Reclaimers look every quarter of it; nothing reclaims a claim that is older by half.
STALE_MARGIN = 1.5


@dataclass(frozen=True, slots=True)
class Stall:
    """Why the inbox is stalled, and what to do, each a sentence for a person."""

    why: str
    do: str


def find_stalls(snapshot: Snapshot, *, stalled_after_s: float = STALLED_AFTER_S) -> list[Stall]:
    """All reasons to say that the inbox is stalled, the most important first; none if it is fine."""
    return [
        *(_no_worker(snapshot) or _nothing_finishes(snapshot, stalled_after_s)),
        *_old_claims(),
        *_held_up(snapshot, stalled_after_s),
        *_paused_services(snapshot, stalled_after_s),
        *(_old_rows(source) for source in snapshot.sources if _waits_too_long(source, stalled_after_s)),
        *_no_handler(snapshot),
    ]


def state(snapshot: Snapshot, stalls: list[Stall]) -> str:
    """Stalled, Running (something is due or being worked on) or Idle."""
    if stalls:
        return "Stalled"
    return "Running" if snapshot.due or snapshot.jobs["PROCESSING"] else "Idle"


def pauses(snapshot: Snapshot) -> list[str]:
    """A sentence for a person about each source that is paused."""
    return [_paused(source.source, source.pause) for source in snapshot.sources if source.pause]


def _paused(source: str, pause: Pause) -> str:
    return f"{source} has been paused since {pause.since}: {pause.reason}; {pause.next_try}"


def _paused_services(snapshot: Snapshot, stalled_after_s: float) -> list[Stall]:
    waiting = {group.source for group in snapshot.open if group.is_paused}
    do = "check that the service is up and its address is right; workers resume by themselves"
    return [
        Stall(_paused(source.source, source.pause), do)
        for source in snapshot.sources
        if source.pause and source.pause.for_s > stalled_after_s and source.source in waiting
    ]


def _no_worker(snapshot: Snapshot) -> list[Stall]:
    stalls = []
    for command in sorted({source.command for source in registry.sources()}):
        names = {source.name for source in registry.sources_of(command)}
        due = [group for group in snapshot.open if group.is_due and group.has_handler and group.source in names]
        if due and not snapshot.workers.alive(command):
            why = f"{_count(snapshot, due)} due and no {command} is running"
            stalls.append(Stall(why, f"start one: manage.py {command}"))
    return stalls


def _old_claims() -> list[Stall]:
    limit_s = settings.INBOX_STALE_AFTER * STALE_MARGIN
    count = InboxJob.objects.stale(limit_s).count()
    if not count:
        return []
    jobs = "1 job has" if count == 1 else f"{count:,} jobs have"
    why = f"{jobs} been PROCESSING for more than {in_words(limit_s)} without being reclaimed"
    do = "type: manage.py reclaim_stuck_jobs; if it reclaims none, end the database session that has them locked"
    return [Stall(why, do)]


def _nothing_finishes(snapshot: Snapshot, stalled_after_s: float) -> list[Stall]:
    waiting = [group for group in snapshot.open if group.is_due and group.has_handler and not group.is_paused]
    oldest_s = max((group.oldest_s or 0.0 for group in waiting), default=0.0)
    if oldest_s <= stalled_after_s or _has_finished_within(snapshot, stalled_after_s):
        return []
    why = f"jobs have been due for {in_words(oldest_s)}, and none has finished for {in_words(stalled_after_s)}"
    return [Stall(why, "check the logs of the workers, and the warnings of manage.py inbox_status")]


def _held_up(snapshot: Snapshot, stalled_after_s: float) -> list[Stall]:
    do = "remove the cause that it names: a session that holds a lock, a full disk; workers resume by themselves"
    kinds: dict[tuple[str, str], list[OpenJobs]] = {}
    for group in snapshot.open:
        if (group.held_up_s or 0.0) > stalled_after_s:
            kinds.setdefault((group.source, group.message_type), []).append(group)
    return [
        Stall(f"{_count(snapshot, groups)} {groups[0].note}, for {in_words(groups[0].held_up_s)}", do)
        for groups in kinds.values()
    ]


def _has_finished_within(snapshot: Snapshot, age_s: float) -> bool:
    """The newest jobs may tell; if not, the whole table does, which is read only when something looks wrong."""
    last_s = snapshot.ended.last_finished_s
    if last_s is not None and last_s <= age_s:
        return True
    if not snapshot.ended.is_partial:
        return False
    if snapshot.by_status is None:
        since = Now() - timedelta(seconds=age_s)
        return InboxJob.objects.filter(finished_at__gt=since, finished_at__lte=Now()).exists()
    # finished_at has no index, and a page has no time to read all jobs. Tallies tell it to the minute.
    with connection.cursor() as cursor:
        cursor.execute(HAS_FINISHED_WITHIN, {"age_s": age_s})
        return cursor.fetchone()[0]


# Compares what each worker had done in total when it last reported with its last report before that time.
HAS_FINISHED_WITHIN = """
SELECT EXISTS (
    SELECT 1 FROM (SELECT worker_id, max(done_count + failed_count + dead_count) AS after FROM inbox_tally
                    WHERE minute BETWEEN now() - %(age_s)s * interval '1 second' AND now()
                    GROUP BY worker_id) AS late
     WHERE after > coalesce((SELECT done_count + failed_count + dead_count FROM inbox_tally
                              WHERE worker_id = late.worker_id AND minute < now() - %(age_s)s * interval '1 second'
                                AND minute > now() - interval '2 days'
                              ORDER BY minute DESC LIMIT 1), 0))
"""


def _waits_too_long(source: SourceState, limit_s: float) -> bool:
    """Rows wait, and it is no backlog that is being ingested, which moves the watermark."""
    has_moved = source.moved_s is not None and -CLOCKS_DIFFER_S <= source.moved_s <= limit_s
    return source.rows_to_take_in > 0 and (source.rows_wait_s or 0.0) > limit_s and not has_moved


def _old_rows(source: SourceState) -> Stall:
    rows = f"{source.rows_to_take_in:,}{'+' * source.rows_at_least}"
    why = f"rows of {source.source} waiting to be ingested: {rows}, the oldest for {in_words(source.rows_wait_s)}"
    return Stall(why, f"start a worker, or check its log: manage.py {source.command}")


def _no_handler(snapshot: Snapshot) -> list[Stall]:
    groups = [group for group in snapshot.open if group.is_due and not group.has_handler]
    if not groups:
        return []
    names = sorted({f"{group.source}/{group.message_type}" for group in groups})
    more = f" and {len(names) - 3} more kinds" if len(names) > 3 else ""
    why = f"{_count(snapshot, groups)} due without a handler here: {', '.join(names[:3])}{more}"
    return [Stall(why, "start the version of this program that has a handler for them")]


def _count(snapshot: Snapshot, groups: list[OpenJobs]) -> str:
    """Such as "1 job is" or "5,000+ jobs are"."""
    count = sum(group.count for group in groups)
    at_least = "+" * any(group.source in snapshot.cut_sources for group in groups)
    return "1 job is" if count == 1 and not at_least else f"{count:,}{at_least} jobs are"
