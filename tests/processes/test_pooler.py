"""Everything works behind PgBouncer in transaction mode, with and without a direct way to the server."""

import json
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from config.embedded_postgres.server import Server
from inbox.models import InboxJob, InboxWorker
from packets.models import IntegrationMessage, Packet
from tests.support import clinical
from tests.support.pooler import Pooler
from tests.support.probe import wait_until
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


def server():
    return {
        name: connection.get_connection_params().get(name) for name in ("host", "port", "dbname", "user", "password")
    }


def direct_url():
    given = server()
    password = f":{given['password']}" if given["password"] else ""
    host = quote(given["host"] or "", safe="")
    return f"postgresql://{given['user']}{password}@/{given['dbname']}?host={host}&port={given['port'] or 5432}"


@pytest.fixture
def pooler():
    # Not in pytest's own folder: as root, the pooler runs as another user, who may not enter that.
    home = Server.of_project(settings.BASE_DIR).home if settings.USES_EMBEDDED_DATABASE else None
    with TemporaryDirectory(prefix="pgbouncer-") as folder, Pooler(Path(folder), server(), home=home) as running:
        yield running


def count(status="DONE"):
    return InboxJob.objects.filter(status=status).count()


def test_the_sessions_behind_it_have_our_limits_and_statements_need_no_session(pooler, run_command):
    with psycopg.connect(pooler.url, autocommit=True) as raw:
        for name, value in {"statement_timeout": "30s", "lock_timeout": "5s"}.items():
            assert raw.execute(f"SHOW {name}").fetchone()[0] == value
    for number in range(5):
        send(esmd(), tracking_id(number))
    assert run_command("run_inbox_worker", "--drain", DATABASE_URL=pooler.url)[0] == 0
    # Between two pages of the cursor, somebody else takes the session.
    script = (
        "from inbox.models import InboxJob; from django.db import connection\n"
        "jobs = InboxJob.objects.iterator(chunk_size=2); first = [next(jobs)]\n"
        "other = connection.copy(); other.set_autocommit(False); other.cursor().execute('SELECT 1')\n"
        "print(len(first + list(jobs)))"
    )
    code, out, err = run_command("shell", "--no-imports", "-c", script, DATABASE_URL=pooler.url)
    assert (code, out) == (0, "5\n"), err
    for command in ("inbox_status", "reclaim_stuck_jobs", "fix_identities", "check"):
        code, _, err = run_command(command, DATABASE_URL=pooler.url)
        assert code == 0, err
    made = job(status="DEAD")
    code, _, err = run_command("requeue_jobs", "--id", str(made.pk), "--reason", "a test", DATABASE_URL=pooler.url)
    assert code == 0, err
    made.refresh_from_db()
    assert made.status == "NEW"
    then = seconds_ago(9 * 86400)
    InboxJob.objects.update(finished_at=then, source_created_at=then)
    IntegrationMessage.objects.update(created_at=then)
    assert run_command("prune_inbox", "--older-than", "7", DATABASE_URL=pooler.url)[1].startswith("5 pruned")


@pytest.fixture
def database_of_repeatable_read():
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {server()['dbname']} SET default_transaction_isolation = 'repeatable read'")
        yield
        cursor.execute(f"ALTER DATABASE {server()['dbname']} RESET default_transaction_isolation")


def test_all_behind_it_is_read_committed_whatever_the_database_says(database_of_repeatable_read, pooler, run_command):
    script = (
        "from django.db import connection, transaction; cursor = connection.cursor()\n"
        "show = lambda: cursor.execute('SHOW transaction_isolation').fetchone()[0]\n"
        "print(show())\n"
        "with transaction.atomic(): print(show())\n"
    )
    code, out, err = run_command("shell", "--no-imports", "-c", script, DATABASE_URL=pooler.url)
    assert (code, out) == (0, "read committed\n" * 2), err


def work_through(pooler, start_command, **environment):
    """Two workers and a poller take 200 intakes and 50 answers of ClinicalOps; one worker is killed on the way."""
    for number in range(200):
        send(esmd(), tracking_id(number))
    # An answer may look for its packet just before that comes, and begin to wait just after: the clock heals that.
    environment = {"DATABASE_URL": pooler.url, "INBOX_STALE_AFTER": "2", "INBOX_BACKOFF": "1,2,5", **environment}
    workers = [start_command("run_inbox_worker", "--batch-size", "10", **environment) for _ in range(2)]
    poller = start_command("run_clinical_ops_poller", **environment)
    wait_until(lambda: count() > 20, timeout_s=60)
    workers[0].kill()
    workers[0].wait()
    for number in range(50):
        clinical.write_decision(number)
    wait_until(lambda: count() == 250, timeout_s=60)
    assert Packet.objects.count() == 200
    assert Packet.objects.filter(detailed_status="Clinical Decision Received").count() == 50
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM packet_event WHERE what = 'created'")
        assert cursor.fetchone() == (200,)
    running = [workers[1], poller]
    for process in running:
        process.send_signal(signal.SIGTERM)
    for process in running:
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert "Traceback" not in err
        assert "prepared statement" not in err
    return InboxWorker.objects.filter(worker_id__isnull=False)


def test_without_a_direct_way_there_is_no_presence_and_all_is_done(pooler, start_command):
    rows = work_through(pooler, start_command)
    assert set(rows.values_list("has_presence", flat=True)) == {False}


def test_with_a_direct_way_workers_are_present(pooler, start_command):
    rows = work_through(pooler, start_command, DATABASE_DIRECT_URL=direct_url())
    assert set(rows.values_list("has_presence", flat=True)) == {True}


def test_with_a_direct_way_a_worker_is_notified(pooler, start_command):
    """It would look by itself only after five minutes."""
    send(esmd(), tracking_id(1))
    start_command(
        "run_inbox_worker", "--poll-interval", "60", DATABASE_URL=pooler.url, DATABASE_DIRECT_URL=direct_url()
    )
    wait_until(lambda: count() == 1)
    wait_until(lambda: InboxWorker.objects.filter(has_presence=True).exists())
    send(esmd(), tracking_id(2))
    wait_until(lambda: count() == 2)


def test_more_workers_than_sessions_share_them(pooler, start_command, run_command):
    for number in range(100):
        send(esmd(), tracking_id(number))
    workers = [start_command("run_inbox_worker", "--drain", DATABASE_URL=pooler.url) for _ in range(6)]
    for worker in workers:
        _, err = worker.communicate(timeout=60)
        assert worker.returncode == 0, err
    assert count() == Packet.objects.count() == 100
    found = json.loads(run_command("inbox_status", "--json", DATABASE_URL=pooler.url)[1])["connections"]
    assert found["server"]["sessions"] >= 1
