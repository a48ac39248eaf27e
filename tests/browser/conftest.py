"""Chromium, driven by Playwright, before a live server on the test database. Each person has a context of their own.

Chromium is Debian's, or any on the PATH: Playwright's own is not downloaded.
"""

import os
import shutil
from importlib import import_module

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import expect, sync_playwright

from inbox.admin_pages.job_list import banner
from tests.browser.screens import HEIGHT, WIDE

# The first two let it run as root and without a GPU; the rest keep it from calling its maker.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The form of somebody who was overtaken comes back with this; Chromium tells every status from 400 on as an error.
OVERTAKEN = "the server responded with a status of 409"
# For a slow and busy machine; nothing waits longer than it has to.
TIMEOUT_MS = 30_000
# The migrations that make roles, in order.
ROLES = {"0007_roles": "make_roles", "0008_people": "show_people_to_reviewers"}
BACKEND = "django.contrib.auth.backends.ModelBackend"


def program() -> str:
    """Skips the tests where Chromium is not installed; where it has to be, fails."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        say = pytest.fail if os.environ.get("REQUIRE_CHROMIUM") else pytest.skip
        say("no chromium on the PATH: apt-get install chromium")
    return found


@pytest.fixture(scope="package")
def chromium():
    """One browser for all tests of this package.

    Playwright keeps an event loop in this thread until it is stopped, so Django takes the ORM of these tests for that
    of a coroutine. It is none: nothing else runs in the thread, and the server has threads of its own.
    """
    path = program()
    expect.set_options(timeout=TIMEOUT_MS)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def roles(transactional_db):
    """The groups of the migrations, which the test before has removed with all rows."""
    for name, verb in ROLES.items():
        getattr(import_module(f"decisions.migrations.{name}"), verb)(apps, None)


@pytest.fixture
def visit(chromium, live_server, roles):
    """Opens a browser for a new person of a role, or for a superuser; returns its page, which is still empty.

    At the end, no script may have failed, nothing may have been missing, and the security policy may have refused
    nothing, on any page.
    """
    wrong, contexts = [], []
    banner.forget()

    def visit(name, role=None, **options):
        user = User.objects.create_user(name, password=name, is_staff=True, is_superuser=role is None)
        if role:
            user.groups.add(Group.objects.get(name=role))
        return open_page(user, **options)

    def open_page(user=None, **options):
        options = {"viewport": {"width": WIDE, "height": HEIGHT}} | options
        context = chromium.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        context.on("console", lambda said: wrong.append(f"{said.page.url}: {said.text}") if is_wrong(said) else None)
        context.on("weberror", lambda raised: wrong.append(f"{raised.page.url}: {raised.error}"))
        if user:
            client = Client()
            client.force_login(user, backend=BACKEND)
            name = settings.SESSION_COOKIE_NAME
            context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        return context.new_page()

    visit.stranger = open_page
    yield visit
    for context in contexts:
        context.close()
    assert not wrong, "\n".join(wrong)


def is_wrong(said) -> bool:
    return said.type in ("error", "warning") and OVERTAKEN not in said.text
