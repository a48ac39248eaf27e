"""Protections that can be taken away, one at a time. The chaos test must turn red for each.

Each function changes the engine of this process only, before it begins to work.
"""

from django.db import connection, transaction


def no_lease_check():
    """A worker finishes what it once claimed, whoever has it now."""
    _replace_the_guard("job.status = 'PROCESSING'")


def owner_and_attempt():
    """The fence is the worker's name and the attempt number, which a give-back makes occur twice."""
    from inbox.worker import loop as worker

    plain_claim = worker.claim

    def claim(source, *, worker_id, limit, presence_id=None):
        claimed = plain_claim(source, worker_id=worker_id, limit=limit, presence_id=presence_id)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO chaos_claim SELECT %s, inbox_id, %s, attempt_count"
                "  FROM integration_inbox WHERE inbox_id = ANY(%s)",
                [claimed.lease_id, worker_id, [inbox_id for ids in claimed.inbox_ids.values() for inbox_id in ids]],
            )
        return claimed

    worker.claim = claim
    _replace_the_guard(
        "job.status = 'PROCESSING' AND (job.locked_by, job.attempt_count) ="
        " (SELECT owner, attempt FROM chaos_claim WHERE lease_id = %(lease_id)s AND inbox_id = job.inbox_id)"
    )


def _replace_the_guard(guard):
    from inbox.engine import finish, work
    from inbox.models.job import HELD_BY_LEASE, JobQuerySet

    for module, name in ((work, "LOCK_LEASED_JOBS"), (finish, "FINISH_DONE"), (finish, "FINISH_WITH_OUTCOME")):
        statement = getattr(module, name)
        assert HELD_BY_LEASE in statement
        setattr(module, name, statement.replace(HELD_BY_LEASE, guard))

    def held(self, lease_id, inbox_ids):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT inbox_id FROM integration_inbox AS job WHERE inbox_id = ANY(%(inbox_ids)s) AND {guard}",
                {"inbox_ids": list(inbox_ids), "lease_id": lease_id},
            )
            return self.filter(inbox_id__in=[inbox_id for (inbox_id,) in cursor.fetchall()])

    JobQuerySet.held = held


def effects_outside():
    """The handler commits its effects, and the jobs are finished in a second transaction."""
    from inbox.engine import work

    def handle(claim, handler, inbox_ids):
        with transaction.atomic():
            jobs = work.lock_leased(claim.lease_id, inbox_ids)
            outcomes = handler(jobs) if jobs else []
        with transaction.atomic():
            work.lock_leased(claim.lease_id, inbox_ids)
            finished = work.finish(claim.lease_id, claim.worker_id, zip(jobs, outcomes, strict=True))
        return finished + work.JobCounts(lost=len(inbox_ids) - len(jobs))

    work._handle = handle


def lookback_off():
    """Rows that commit behind the watermark are left to the reconcile."""
    from inbox.engine.sweep import SweepKind, take_turn
    from inbox.worker import ingester as ingester

    def take_turn_of_reconcile(source, kind, **options):
        return kind is SweepKind.RECONCILE and take_turn(source, kind, **options)

    ingester.take_turn = take_turn_of_reconcile


def watermark_per_column():
    """Time and id of the watermark each move to their own maximum, to a pair that no row has."""
    from inbox.engine import ingest

    pair = "last_created_at = passed.created_at, last_message_id = passed.message_id"
    columns = """last_created_at = greatest(mark.last_created_at, passed.created_at),
                 last_message_id = greatest(mark.last_message_id, (SELECT max(message_id) FROM fresh))"""
    assert pair in ingest.INSERT_JOBS
    ingest.INSERT_JOBS = ingest.INSERT_JOBS.replace(pair, columns)


def reclaim_waits():
    """Reclaiming waits for rows that somebody works on, instead of skipping them."""
    from inbox.models.job import JobQuerySet

    def lock_keys(self, limit=None):
        return list(self.order_by("inbox_id").select_for_update().values_list("inbox_id", flat=True)[:limit])

    JobQuerySet.lock_keys = lock_keys


def wake_without_clock():
    """A job that waits is looked at again only when it is woken."""
    from inbox.engine import finish

    finish.delay_while_waiting_s = lambda waited_s, steps_s: 1e6


MUTANTS = {
    function.__name__.replace("_", "-"): function
    for function in (
        no_lease_check,
        owner_and_attempt,
        effects_outside,
        lookback_off,
        watermark_per_column,
        reclaim_waits,
        wake_without_clock,
    )
}
