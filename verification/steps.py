"""Steps that a session can take by itself, beside the product's own verbs: transactions, locks and plain SQL."""

from django.db import connection

from inbox.models import InboxJob
from verification.scenes import SOURCE, end_jobs, make_jobs

BE_IMPATIENT = """
SELECT set_config('deadlock_timeout', '5', true) WHERE has_parameter_privilege('deadlock_timeout', 'SET')
"""


def connect() -> None:
    """Have a connection, and do nothing with it."""
    connection.ensure_connection()


def disconnect() -> None:
    """Close it."""
    connection.close()


def begin() -> None:
    """Begin a transaction that lasts until `commit`, over several steps of the session."""
    connection.set_autocommit(False)


def begin_impatient() -> None:
    """The same, and the server looks for deadlocks at once; if this role may not set that, after a second as usual."""
    begin()
    execute(BE_IMPATIENT)


def commit() -> None:
    """End it. One that has failed is rolled back."""
    connection.commit()
    connection.set_autocommit(True)


def execute(sql: str, *values: int) -> None:
    """Execute one statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)


def flush_statistics() -> None:
    """Have the server publish at once what it has counted in this session."""
    execute("SELECT pg_stat_force_next_flush()")


def new_jobs(number: int) -> list[int]:
    """The keys of new due jobs of the source, in order; it has no others then."""
    end_jobs()
    jobs = InboxJob.objects.filter(source=SOURCE.name, message_id__in=make_jobs(number))
    return list(jobs.order_by("pk").values_list("pk", flat=True))


def lock_job(inbox_id: int) -> None:
    """Lock a job, as its handler does, until the transaction ends."""
    execute("SELECT FROM integration_inbox WHERE inbox_id = %s FOR UPDATE", inbox_id)
