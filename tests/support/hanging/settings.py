"""The project's settings, and the source `test` for run_inbox_worker."""

from config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.hanging"]  # noqa: F405
