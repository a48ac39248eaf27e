"""How long the pages of jobs take with 1,000,000 jobs, and the stock admin beside them, in one run.

    .venv/bin/python -m benchmarks.admin [--rounds 7] [--jobs 1000000] [--open 20000]

Of the jobs, `--open` are NEW, 200 PROCESSING, 1 % each FAILED, WAITING and DEAD, the rest DONE; the table is vacuumed
and analyzed. Each figure is the server's time of a whole request through Django's test client, as a superuser. A
process keeps the head of the list for 5 s; "head anew" is a request that has to look. "stock" is a plain ModelAdmin
with the same columns, filters on the plain fields and the same fields to search.
"""

import sys
import types
from typing import Any

from benchmarks import database

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
                    WHEN n %% 100 = 3 THEN 'DEAD'
                    ELSE 'DONE' END AS status
          FROM generate_series(1, %(jobs)s) AS n) AS made,
       LATERAL (SELECT status IN ('FAILED', 'DEAD') AS is_bad, status = 'PROCESSING' AS is_held) AS said
"""
MESSAGES = """
INSERT INTO integration_send_serviceops (message_id, decision_tracking_id, payload, created_at)
SELECT n, gen_random_uuid(), jsonb_build_object('documents', jsonb_build_array(n)),
       now()
  FROM generate_series(1, 1000) AS n
"""


def main() -> None:
    options = database.options(__doc__, rounds=7, jobs=1_000_000, open=20_000)
    with database.scratch(NAME) as url:
        _seed(url, options.jobs, options.open)
        database.use(NAME)
        _add_stock_admin()
        _measure(options)


def _seed(url: str, jobs: int, open_jobs: int) -> None:
    import psycopg

    database.progress(f"seeding {jobs:,} jobs …")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL, {"jobs": jobs, "open": open_jobs})
        connection.execute(MESSAGES)
        connection.execute(
            "INSERT INTO poll_watermark (source, last_created_at, last_message_id) VALUES ('integration', now(), 1000)"
        )
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _add_stock_admin() -> None:
    """A second site, at /stock/, as Django makes it without any of our options."""
    from django.conf import settings
    from django.contrib import admin
    from django.urls import include, path

    from inbox.job_page.admin import InboxJobAdmin
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
    from django.db import connection
    from django.test import Client

    from inbox.job_list import banner

    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(User.objects.create_superuser("benchmark"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT decision_tracking_id FROM integration_inbox WHERE inbox_id = %s", [options.jobs // 2])
        tracking_id = cursor.fetchone()[0]

    def took_ms(site: str, path: str, *, is_anew: bool = False) -> float:
        if is_anew:
            banner.forget()
        else:
            banner.banner()
        answers: list[Any] = []
        ms = database.timed_ms(lambda: answers.append(client.get(f"/{site}/inbox/inboxjob/{path}")))
        assert answers[0].status_code == 200, (site, path, answers[0].status_code)
        return ms

    print(f"{options.jobs:,} jobs, {options.open:,} NEW, {options.rounds} rounds; {database.noise()}")
    print(f"{'page, ms':<34}{'ours p50':>10}{'min':>8}{'head anew p50':>16}{'min':>8}{'stock p50':>12}{'min':>8}")
    for title, path, is_stock_too in _pages(options.jobs, tracking_id):
        columns = [[took_ms("admin", path) for _ in range(options.rounds + 1)][1:]]
        columns.append([took_ms("admin", path, is_anew=True) for _ in range(options.rounds)])
        if is_stock_too:
            # It is slow, so a few rounds tell enough.
            columns.append([took_ms("stock", path) for _ in range(min(options.rounds, 3))])
        figures = [figure for column in columns for figure in (database.percentile(column, 50), min(column))]
        widths = (10, 8, 16, 8, 12, 8)
        print(
            f"{title:<34}" + "".join(f"{ms:>{width}.0f}" for ms, width in zip(figures, widths, strict=False)),
            flush=True,
        )


def _pages(jobs: int, tracking_id: Any) -> list[tuple[str, str, bool]]:
    return [
        ("the list", "", True),
        ("page 100", "?p=100", True),
        ("status NEW", "?status__exact=NEW", True),
        ("status DEAD", "?status__exact=DEAD", True),
        ("status DONE", "?status__exact=DONE", True),
        ("source clinical_decision", "?source=clinical_decision", True),
        ("source of no job", "?source=json_generator", True),
        ("message type utn_success", "?message_type=utn_success", True),
        ("message type of no job", "?message_type=utn_fail", True),
        ("DEAD, message type of no job", "?status__exact=DEAD&message_type=utn_fail", True),
        ("error kind", "?error_kind=Kind3", True),
        ("owner", "?locked_by=host:1", True),
        ("open for more than 1 hour", "?open_for=3600", False),
        ("open for more than 1 week", "?open_for=604800", False),
        ("search: tracking id", f"?q={tracking_id}", True),
        ("search: a number", f"?q={jobs // 3}", True),
        ("search: a packet that is not there", "?q=SVC-2031-000001", True),
        ("page of a DONE job", f"{500}/change/", True),
        ("page of a claimed job", f"{jobs - 5}/change/", True),
        ("form: requeue", f"{jobs // 2 + 3}/requeue/", False),
    ]


if __name__ == "__main__":
    main()
