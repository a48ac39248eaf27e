"""Health and metrics endpoints."""

import re
from pathlib import Path

import pytest
from django.conf import settings as project_settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from prometheus_client.parser import text_string_to_metric_families

from inbox.models import PollWatermark, SourcePause
from tests.support.rows import job, seconds_ago, send
from tests.support.workers import worker

pytestmark = pytest.mark.django_db(transaction=True)

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


def numbers(client, **extra) -> dict:
    response = client.get("/metrics", **extra)
    assert response.status_code == 200, response.content
    families = text_string_to_metric_families(response.content.decode())
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_alive_needs_no_database_and_no_host_name(client, django_assert_num_queries, settings):
    settings.ALLOWED_HOSTS = ["elsewhere.example"]
    with django_assert_num_queries(0):
        response = client.get("/healthz", headers={"host": "10.0.0.1"})
    assert (response.status_code, response.content) == (200, b"alive\n")


def test_ready_when_a_worker_lives(client):
    worker()
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (200, b"ready\n")


def test_not_ready_without_a_worker(client):
    worker(last_seen_at=seconds_ago(3600))
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.content.startswith(b"workers: none is running")


def test_not_ready_while_a_migration_is_missing(client):
    worker()
    [(app, last)] = MigrationLoader(connection).graph.leaf_nodes("inbox")
    MigrationRecorder.Migration.objects.filter(app=app, name=last).delete()
    try:
        response = client.get("/readyz")
    finally:
        MigrationRecorder(connection).record_applied(app, last)
    assert response.status_code == 503
    assert response.content == f"migrations: 1 not applied, the first is inbox.{last}\n".encode()


def test_metrics_are_for_loopback(client):
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200
    assert client.get("/metrics", **ELSEWHERE).status_code == 403
    # A unix socket has no address.
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 403


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Bearer right", 200),
        ("bearer right", 200),
        ("Bearer wrong", 403),
        ("Bearer ", 403),
        ("right", 403),
        ("", 403),
        ("Bearer ünright", 403),
        ("Basic right", 403),
    ],
)
def test_metrics_are_for_who_has_the_token(client, settings, said, status):
    settings.METRICS_TOKEN = "right"
    assert client.get("/metrics", headers={"authorization": said}, **ELSEWHERE).status_code == status


def test_metrics_say_what_is_there(client):
    worker(done_count=7, failed_count=2, dead_count=1)
    job(
        source="integration",
        message_type="intake",
        message_id=99,
        next_attempt_at=seconds_ago(30),
        created_at=seconds_ago(30),
    )
    job(status="DEAD", error_kind="BadMessage")
    job(status="DONE", finished_at=seconds_ago(0), created_at=seconds_ago(4))
    send({})
    SourcePause.objects.create(source="json_generator", reason="gone", next_try_at=seconds_ago(0))
    seen = numbers(client)
    assert seen["inbox_open_jobs", "NEW", "intake", "integration"] == 1
    assert seen["inbox_due_jobs",] == 1
    assert 29 < seen["inbox_oldest_due_seconds",] < 90
    assert seen["inbox_ended_jobs_newest", "DEAD"] == 1
    assert seen["inbox_dead_jobs_newest", "BadMessage"] == 1
    assert seen["inbox_rows_to_take_in", "integration"] == 1
    assert seen["inbox_source_paused_seconds", "json_generator"] > 0
    assert seen["inbox_source_paused_seconds", "integration"] == 0
    assert seen["inbox_workers_alive", "run_inbox_worker"] == 1
    assert seen["inbox_workers_alive", "run_clinical_ops_poller"] == 0
    assert seen["inbox_attempts_total", "done"] == 7
    assert 3 < seen["inbox_latency_seconds", "0.5"] < 60
    assert seen["inbox_database_connections",] >= 1
    assert seen["inbox_database_connection_budget",] == project_settings.DB_CONNECTION_BUDGET
    assert seen["inbox_database_connections_reserved",] == project_settings.DB_CONNECTIONS_RESERVED
    assert seen["inbox_database_connections_of", "command"] >= 1
    assert 0 < seen["inbox_database_connections_used_ratio",] < 1
    assert seen["inbox_database_deadlocks_total",] >= 0


def test_no_label_is_made_of_what_others_write(client):
    """A type that nobody handles may be any text."""
    for number in range(3):
        job(message_type=f"MARKED-{number}")
    text = client.get("/metrics").content.decode()
    assert "MARKED" not in text
    assert 'inbox_open_jobs{source="other",status="NEW",type="other"} 3.0' in text


def test_a_scrape_takes_few_queries_however_many_jobs_there_are(client, django_assert_max_num_queries):
    for number in range(30):
        job(status="DEAD", error_kind=f"Kind{number % 3}")
    with django_assert_max_num_queries(30):
        client.get("/metrics")


def test_every_metric_of_the_alert_file_is_there(client):
    text = Path(project_settings.BASE_DIR, "docs/alerts.yml").read_text()
    wanted = set(re.findall(r"\binbox_\w+", text)) - {"inbox_status"}  # a command
    worker()
    job(status="DONE", finished_at=seconds_ago(0)), job(source="integration", message_type="intake")
    PollWatermark.objects.update_or_create(source="integration", defaults={"last_created_at": None})
    assert len(wanted) > 8
    assert wanted <= {key[0] for key in numbers(client)}
