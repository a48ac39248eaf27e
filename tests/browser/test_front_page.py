"""The front page refreshes itself, and its reader does not lose their place."""

import signal

import pytest
from playwright.sync_api import expect

from inbox.models import InboxWorker
from tests.browser.screens import keep
from tests.support.probe import wait_until
from tests.support.rows import job, seconds_ago
from tests.support.workers import at_minute, worker

pytestmark = pytest.mark.django_db(transaction=True)

REFRESH_MS = 15_000


def number(page, name):
    return page.locator(".front-numbers div").filter(has_text=name).locator("dd")


def test_it_refreshes_itself_and_says_what_to_type_when_the_workers_are_gone(visit, start_command):
    process = start_command("run_inbox_worker")
    wait_until(lambda: InboxWorker.objects.filter(state="RUNNING").exists())
    page = visit("vera", "viewer", viewport={"width": 1000, "height": 400})
    page.clock.install()
    page.goto("/admin/")
    state = page.locator(".front-state")
    expect(state).to_contain_text("Idle")
    expect(number(page, "Workers alive")).to_have_text("1")
    # What a person does meanwhile: scroll down, and move on by keyboard. Neither is there after a reload.
    page.evaluate("window.isTheSamePage = true")
    link = page.locator("#content-main").get_by_role("link", name="Packets", exact=True).last
    link.focus()
    place = link.bounding_box()["y"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    job(source="integration", message_type="intake", next_attempt_at=seconds_ago(60))
    page.clock.fast_forward(REFRESH_MS)
    expect(state).to_contain_text("Stalled")
    expect(state).to_contain_text("manage.py run_inbox_worker")
    expect(number(page, "Workers alive")).to_have_text("0")
    assert page.evaluate("window.isTheSamePage")
    expect(link).to_be_focused()
    assert abs(link.bounding_box()["y"] - place) < 2

    page.goto("/admin/inbox/inboxjob/")
    banner = page.get_by_label("State of the inbox")
    expect(banner).to_contain_text("Stalled")
    expect(banner.locator("code")).to_contain_text("manage.py run_inbox_worker")
    keep(page, "job-list-stalled")


def test_its_charts_have_words_and_it_fits(visit):
    me = worker(started_s=3600 * 5)
    for minutes_ago, done, failed, dead in ((240, 900, 1, 0), (180, 4000, 30, 1), (60, 9000, 95, 9)):
        at_minute(me, minutes_ago, done, failed, dead)
    job(status="DEAD", error_kind="BadMessage", last_error="documents is a text; a list is needed")
    page = visit("vera", "viewer")
    page.goto("/admin/")
    charts = page.locator("#front").get_by_role("img")
    expect(charts).to_have_count(2)
    for chart in charts.all():
        assert "dead" in chart.get_attribute("aria-label")
        assert "UTC" in chart.text_content()
    keep(page, "front")
