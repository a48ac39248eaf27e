"""All that matters can be done without a mouse."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from inbox.models import InboxJob
from tests.browser.screens import keep
from tests.support.rows import job

pytestmark = pytest.mark.django_db(transaction=True)

FOCUS = """() => {
    const here = document.activeElement;
    return {text: (here.innerText || here.value || here.name || "").trim(), tag: here.tagName};
}"""


def tab_to(page, text: str, tag: str, most: int) -> None:
    """Press Tab until the focus is on it; fails if that takes more than `most` times."""
    passed = []
    for _ in range(most):
        page.keyboard.press("Tab")
        here = page.evaluate(FOCUS)
        if (here["text"], here["tag"]) == (text, tag):
            return
        passed.append(here)
    pytest.fail(f"{text} was not reached: {passed}")


def skip_to_content(page) -> None:
    tab_to(page, "Skip to main content", "A", most=1)
    page.keyboard.press("Enter")


def test_a_job_is_requeued_from_the_login_on_with_keys_only(visit):
    made = job(status="DEAD", error_kind="BadMessage", last_error="documents is a text; a list is needed")
    User.objects.create_superuser("kay", password="a synthetic password")
    page = visit.stranger()
    page.goto(f"/admin/inbox/inboxjob/{made.pk}/change/")
    keep(page, "login")
    page.keyboard.type("kay")
    page.keyboard.press("Tab")
    page.keyboard.type("a synthetic password")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Job now")).to_be_visible()
    skip_to_content(page)
    tab_to(page, "Requeue", "A", most=3)
    keep(page, "keyboard-focus")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reason")).to_be_visible()
    skip_to_content(page)
    page.keyboard.press("Tab")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("with keys only")
    tab_to(page, "Requeue", "INPUT", most=1)
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("The job is NEW")
    assert InboxJob.objects.get().status == "NEW"
