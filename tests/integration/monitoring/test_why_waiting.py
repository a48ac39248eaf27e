"""The page of a job says why nobody works on it right now, and what to do if that needs somebody."""

import pytest
from django.urls import reverse
from django.utils.html import escape

from inbox.models import SourcePause
from inbox.monitoring.waiting import why_waiting
from tests.support.rows import job, seconds_ago
from tests.support.workers import worker

pytestmark = pytest.mark.django_db

INTAKE = {"source": "integration", "message_type": "intake"}
PAYLOAD = {"source": "json_generator", "message_type": "generate_payload"}


def test_a_due_job_waits_for_its_turn():
    worker()
    due = "It is due. A worker claims it after the jobs that became due earlier."
    assert why_waiting(job(**INTAKE)) == due


def test_without_a_worker_it_says_which_one_to_start():
    worker(command="run_clinical_ops_poller")
    expected = "No run_inbox_worker is running. Start one: manage.py run_inbox_worker"
    assert why_waiting(job(**INTAKE)) == expected


def test_a_worker_that_is_gone_does_not_count():
    worker(last_seen_at=seconds_ago(61))
    assert "No run_inbox_worker is running" in why_waiting(job(**INTAKE))


def test_a_type_without_a_handler_says_so():
    worker()
    assert "No handler here for integration/telegram." in why_waiting(
        job(source="integration", message_type="telegram")
    )


def test_a_paused_source_says_why_it_is_paused():
    worker(command="run_clinical_ops_poller")
    SourcePause.objects.create(source="json_generator", reason="no connection", next_try_at=seconds_ago(-60))
    expected = "json_generator is paused: no connection. One job at a time probes it."
    assert why_waiting(job(**PAYLOAD)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "FAILED"}, "The next attempt is in 5 min."),
        ({"status": "WAITING", "note": "the packet"}, "It waits for the packet. The next attempt is in 5 min."),
    ],
)
def test_a_job_that_is_not_due_says_when_it_is(fields, expected):
    assert why_waiting(job(**INTAKE, next_attempt_at=seconds_ago(-301), **fields)) == expected


@pytest.mark.parametrize("status", ["PROCESSING", "DONE", "DEAD"])
def test_a_job_that_a_worker_has_or_that_has_ended_waits_for_nothing(status):
    assert why_waiting(job(**INTAKE, status=status)) is None


def test_the_page_shows_it(admin_client):
    shown = job(**INTAKE)
    page = admin_client.get(reverse("admin:inbox_inboxjob_change", args=[shown.pk])).content.decode()
    assert escape(why_waiting(shown)) in page
