"""The first page of the admin says how the inbox does, to whoever may see jobs."""

import re
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError

from config.templatetags import front as tags
from inbox.models import SourcePause
from tests.support.rows import job, seconds_ago
from tests.support.workers import at_minute, worker

pytestmark = pytest.mark.django_db(transaction=True)


def page(client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return response.content.decode()


def state(text: str) -> str:
    return re.findall(r'class="front-state front-(\w+)"', text)[0]


def numbers(text: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))


def test_an_empty_inbox_is_idle(client):
    text = page(client)
    assert state(text) == "idle"
    assert numbers(text)["Due now"] == "0"


def test_work_that_a_worker_has_is_running(client):
    worker()
    job(status="PROCESSING")
    assert state(page(client)) == "running"


def test_work_without_a_worker_is_stalled_and_says_what_to_type(client):
    job(source="integration", message_type="intake", next_attempt_at=seconds_ago(60))
    text = page(client)
    assert state(text) == "stalled"
    assert "no run_inbox_worker is running" in text
    assert "manage.py run_inbox_worker" in text


def test_it_shows_the_numbers_and_the_charts(client):
    me = worker(started_s=3600)
    at_minute(me, 30, 1000, failed=20, dead=3)
    job(status="DEAD", last_error="broken <b>", error_kind="BadMessage")
    SourcePause.objects.create(source="json_generator", reason="no connection", next_try_at=seconds_ago(0))
    at_minute(me, 20, 2234, failed=20, dead=3)
    text = page(client)
    seen = numbers(text)
    assert (seen["DEAD"], seen["Workers alive"]) == ("1", "1")
    assert re.fullmatch(r"\d+ of 200", seen["Connections"])
    assert "broken &lt;b&gt;" in text
    assert "json_generator has been paused since" in text
    assert "1,234 done" in text
    for svg in re.findall(r"<svg viewBox.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(svg)  # noqa: S314 our own
    assert text.count("<rect") > 0


def test_who_may_not_see_jobs_sees_no_numbers(client):
    user = User.objects.create_user("nobody", is_staff=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert 'id="front"' not in page(client)
    user.user_permissions.add(Permission.objects.get(codename="view_inboxjob"))
    assert 'id="front"' in page(client)


def test_what_the_database_refuses_is_said_on_the_page(client, monkeypatch):
    def refuse(newest):
        raise OperationalError("too slow")

    monkeypatch.setattr(tags, "take_page_snapshot", refuse)
    text = page(client)
    assert "too slow" in text
    assert "Packets" in text


def test_no_script_and_no_style_stands_in_the_page(client):
    text = page(client)
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)[^>]*>\s*\S|\son\w+=", text)
    assert "style=" not in re.search(r'<section id="front".*?</section>', text, re.DOTALL).group()
