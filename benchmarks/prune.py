"""The disk space that a handled message takes, and how fast old jobs are pruned.

    .venv/bin/python -m benchmarks.prune [--rows 20000] [--batch 500]

One worker ingests and handles real intake messages. Sizes are those of each table with its indexes and TOAST, including
the free space that updates have left. Then all rows are made 100 days old and pruned. `longest` is the longest
transaction: ingest has to wait for it.
"""

import subprocess
import sys
from functools import partial
from time import perf_counter

from benchmarks import database

DATABASE = "serviceops_bench_prune"
SIZES = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC LIMIT 5
"""
MAKE_OLD = """
UPDATE integration_send_serviceops SET created_at = created_at - interval '100 days';
UPDATE integration_inbox
   SET source_created_at = source_created_at - interval '100 days', finished_at = finished_at - interval '100 days',
       created_at = created_at - interval '100 days';
VACUUM ANALYZE integration_inbox, integration_send_serviceops
"""


def main() -> None:
    options = database.options(__doc__, rows=20_000, batch=500)
    from django.db import connection

    from inbox.engine.prune import old_jobs, prune
    from inbox.models import InboxJob

    with database.scratch(DATABASE) as url:
        database.use(DATABASE)
        for command in (["load_samples", "--count", str(options.rows)], ["run_inbox_worker", "--drain"]):
            words = [sys.executable, "manage.py", *command]
            subprocess.run(words, env=database.environment(url), check=True, stdout=subprocess.DEVNULL)
        with connection.cursor() as cursor:
            cursor.execute(SIZES)
            for table, size in cursor.fetchall():
                print(f"{table:<32}{size / options.rows:>8,.0f} bytes a message")
            for statement in MAKE_OLD.split(";"):
                cursor.execute(statement)
        jobs, took = InboxJob.objects.count(), []
        began = perf_counter()
        for batch in old_jobs(older_than_s=86400.0, batch_size=options.batch):
            took.append(database.timed_ms(partial(prune, batch, older_than_s=86400.0, who="a benchmark")))
        rate = (jobs - InboxJob.objects.count()) / (perf_counter() - began)
        print(f"{jobs:,} jobs, {InboxJob.objects.count():,} left: {rate:,.0f} pruned/s, batches of {options.batch}")
        print(f"a transaction: median {database.percentile(took, 50):.0f} ms, longest {max(took):.0f} ms")
        print(database.noise())
        connection.close()


if __name__ == "__main__":
    main()
