"""Tests in this folder need no database: pytest-django refuses their queries; this refuses to prepare a database."""

import pytest

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.get_closest_marker("django_db") or DATABASE_FIXTURES.intersection(item.fixturenames):
        pytest.fail("a test in tests/unit uses the database; move it to tests/integration", pytrace=False)
