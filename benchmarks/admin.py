"""How long the admin's pages take with 1,000,000 jobs, and those of a plain Django admin beside them, in one run.

    .venv/bin/python -m benchmarks.admin [--rounds 7] [--jobs 1000000] [--open 20000] [--dead 10000] [--stale] [--keep]

`--open` jobs are NEW, 200 PROCESSING, `--dead` DEAD, 1 % FAILED, 1 % WAITING and the rest DONE. 1 in 5 has a packet
with an event, and one has 2,000 failed attempts. The tables are vacuumed and analyzed; with `--stale`, the statistics
are those of the first twentieth of the rows. `--keep` leaves the database for the next run, which uses it as it is.
Each figure is the server's time for a whole request through Django's test client, as a superuser. A process keeps the
banner of the job list for 5 s; "anew" is a request that takes a new one. "CPU" is the CPU time of such a request, here
and at the server, which means more than the time when the machine is busy. "stock" is a plain ModelAdmin with the same
columns and search fields, and filters on the plain fields. Exits with 1 if the median of a page is over 100 ms.
"""

import sys
import types
from typing import Any

from benchmarks import database
from benchmarks.admin_pages import Page, list_pages

AIM_MS = 100
NAME = "serviceops_bench_admin"
FILL = """
INSERT INTO integration_inbox
       (source, message_id, message_type, decision_tracking_id, status, next_attempt_at, created_at, finished_at,
        error_kind, last_error, locked_by, locked_at, lease_id, errors)
SELECT CASE WHEN n %% 10 = 0 THEN 'clinical_decision' ELSE 'integration' END, n,
       CASE WHEN n %% 10 = 0 THEN 'clinical_decision' WHEN n %% 5 = 0 THEN 'utn_success' ELSE 'intake' END,
       gen_random_uuid(), status, at, at, CASE WHEN status IN ('DONE', 'DEAD') THEN at END,
       CASE WHEN is_bad THEN 'Kind' || n %% 7 END, CASE WHEN is_bad THEN repeat('broken ', 40) END,
       CASE WHEN is_held THEN 'host:' || n %% 4 END, CASE WHEN is_held THEN now() END,
       CASE WHEN is_held THEN gen_random_uuid() END,
       CASE WHEN is_bad THEN '[{"attempt": 1, "kind": "Kind", "message": "broken"}]'::jsonb ELSE '[]' END
  FROM (SELECT n, now() - (%(jobs)s - n) * interval '1 s' AS at,
               CASE WHEN n > %(jobs)s - 200 THEN 'PROCESSING'
                    WHEN n > %(jobs)s - 200 - %(open)s THEN 'NEW'
                    WHEN n %% 100 = 1 THEN 'FAILED'
                    WHEN n %% 100 = 2 THEN 'WAITING'
                    WHEN n %% 100 BETWEEN 3 AND 2 + 100 * %(dead)s::bigint / %(jobs)s THEN 'DEAD'
                    ELSE 'DONE' END AS status
          FROM generate_series(%(first)s::bigint, %(last)s) AS n) AS made,
       LATERAL (SELECT status IN ('FAILED', 'DEAD') AS is_bad, status = 'PROCESSING' AS is_held) AS said
"""
# A job as a flood of failures leaves it.
TRIED = """
UPDATE integration_inbox SET errors = (
    SELECT jsonb_agg(jsonb_build_object('attempt', n, 'worker', 'host:1', 'at', now(), 'kind', 'Kind',
                                        'message', repeat('broken ', 40)))
      FROM generate_series(1, 2000) AS n)
 WHERE inbox_id = (SELECT min(inbox_id) FROM integration_inbox WHERE status = 'DEAD')
"""
PACKETS = """
INSERT INTO packet (decision_tracking_id, channel_type_id)
SELECT decision_tracking_id, 1 + inbox_id % 3 FROM integration_inbox WHERE inbox_id % 5 = 0;
INSERT INTO packet_event (packet_id, what, by) SELECT packet_id, 'created', 'benchmark' FROM packet;
INSERT INTO inbox_audit (who, verb, reason, object)
SELECT 'ada', 'requeue', 'benchmark', 'job:' || packet_id FROM packet;
INSERT INTO inbox_worker (instance_id, worker_id, command, host, pid, state)
SELECT gen_random_uuid(), 'host:' || n, 'run_inbox_worker', 'host', n,
       CASE WHEN n > 20 THEN 'STOPPED' ELSE 'RUNNING' END FROM generate_series(1, 5000) AS n
"""
MESSAGES = """
INSERT INTO integration_send_serviceops (message_id, decision_tracking_id, payload, created_at)
SELECT n, gen_random_uuid(), jsonb_build_object('documents', jsonb_build_array(n)),
       now()
  FROM generate_series(1, 1000) AS n
"""


def main() -> None:
    defaults = {"rounds": 7, "jobs": 1_000_000, "open": 20_000, "dead": 10_000, "stale": False, "keep": False}
    options = database.options(__doc__, **defaults)
    name = f"{NAME}_{options.open}_{options.dead}{'_stale' if options.stale else ''}" if options.keep else NAME
    with database.scratch(name, keep=options.keep) as url:
        _seed(url, options)
        database.use(name)
        _add_stock_admin()
        _measure(options)


def _seed(url: str, options: Any) -> None:
    """Fill the tables, unless a kept database has its rows."""
    import psycopg

    jobs, counts = options.jobs, {"jobs": options.jobs, "open": options.open, "dead": options.dead}
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM poll_watermark LIMIT 1").fetchone():
            return
        database.progress(f"seeding {jobs:,} jobs …")
        if options.stale:
            connection.execute("ALTER TABLE integration_inbox SET (autovacuum_enabled = off)")
        connection.execute(FILL, {**counts, "first": 1, "last": jobs // 20})
        connection.execute("ANALYZE")
        connection.execute(FILL, {**counts, "first": jobs // 20 + 1, "last": jobs})
        connection.execute(TRIED)
        for statement in PACKETS.split(";"):
            connection.execute(statement)
        connection.execute(MESSAGES)
        connection.execute(
            "INSERT INTO poll_watermark (source, last_created_at, last_message_id) VALUES ('integration', now(), 1000)"
        )
        if not options.stale:
            connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _add_stock_admin() -> None:
    """Add a second site, at /stock/, with none of our options."""
    from django.conf import settings
    from django.contrib import admin
    from django.urls import include, path

    from inbox.admin_pages.job_admin import InboxJobAdmin
    from inbox.models import InboxJob

    class StockAdmin(admin.ModelAdmin):
        list_display = ["inbox_id", "status", "message_type", "last_error", *InboxJobAdmin.list_display[4:]]
        list_filter = ["status", "source", "message_type", "error_kind", "locked_by"]
        search_fields = ["inbox_id", "message_id", "decision_tracking_id"]
        date_hierarchy = "created_at"

    site = admin.AdminSite(name="stock")
    site.register(InboxJob, StockAdmin)
    urls = types.ModuleType("benchmarks_admin_urls")
    urls.urlpatterns = [path("", include("config.urls")), path("stock/", site.urls)]  # type: ignore[attr-defined]
    sys.modules[urls.__name__] = urls
    settings.ROOT_URLCONF = urls.__name__


def _measure(options: Any) -> None:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    from inbox.admin_pages.job_list import banner

    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(User.objects.get_or_create(username="benchmark", is_staff=True, is_superuser=True)[0])

    def took_ms(page: Page, *, is_anew: bool = False, is_stock: bool = False) -> float:
        if is_anew:
            banner.forget()
        else:
            banner.banner()
        path = page.stock_path if is_stock else page.path
        answers: list[Any] = []
        ms = database.timed_ms(lambda: answers.append(client.post(path, page.data) if page.data else client.get(path)))
        assert answers[0].status_code == 200, (path, answers[0].status_code)
        return ms

    print(f"{options}; {database.noise()}")
    print(f"{'page, ms':<42}{'p50':>7}{'min':>7}{'anew p50':>10}{'min':>7}{'CPU':>6}{'stock p50':>11}{'x ours':>8}")
    slow = 0
    for page in list_pages(options.jobs):
        took_ms(page)
        kept = [took_ms(page) for _ in range(options.rounds)]
        began_ms = database.cpu_ms()
        anew = [took_ms(page, is_anew=True) for _ in range(options.rounds)]
        cpu_ms = (database.cpu_ms() - began_ms) / options.rounds
        p50s = [database.percentile(figures, 50) for figures in (kept, anew)]
        line = f"{page.title:<42}{p50s[0]:>7.0f}{min(kept):>7.0f}{p50s[1]:>10.0f}{min(anew):>7.0f}{cpu_ms:>6.0f}"
        if page.stock_path:
            # It is slow, so a few rounds are enough.
            stock = database.percentile([took_ms(page, is_stock=True) for _ in range(min(options.rounds, 3))], 50)
            line += f"{stock:>11.0f}{stock / p50s[0]:>8.0f}"
        else:
            line += " " * 19
        is_slow = max(p50s) > AIM_MS
        slow += is_slow
        print(line + f"  over {AIM_MS} ms" * is_slow, flush=True)
    print(f"{slow} pages over {AIM_MS} ms; {database.noise()}")
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
