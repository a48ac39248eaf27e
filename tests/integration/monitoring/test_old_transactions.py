"""The oldest transaction of the server: how it is found, and when it is a warning."""

import pytest
from django.db import transaction

from inbox.monitoring.snapshot import take_snapshot
from inbox.monitoring.text_report import page
from inbox.monitoring.transactions import SELECT_OLDEST, Transactions, find_transactions, warnings
from tests.support.probe import wait_until
from tests.support.rows import job
from tests.support.status import another_session, open_transaction, sql

pytestmark = pytest.mark.django_db(transaction=True)


def found(pid):
    """The transaction of that session, if it is the oldest of its kind. Other databases of the server may be busy."""
    return next((one for one in find_transactions().oldest if one.pid == pid), None)


@pytest.mark.parametrize(
    ("begin", "then", "holds"),
    [
        ("BEGIN", "SELECT 1", False),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1", True),
        ("BEGIN", "SELECT pg_current_xact_id()", True),
    ],
)
def test_it_finds_the_oldest_transaction_and_tells_whether_it_keeps_dead_rows(monkeypatch, begin, then, holds):
    # Only this database, as others on the server may have older ones.
    monkeypatch.setattr(
        "inbox.monitoring.transactions.SELECT_OLDEST",
        SELECT_OLDEST.replace("WHERE xact_start", "WHERE datname = current_database() AND xact_start"),
    )
    with another_session(begin, then) as pid:
        assert found(pid).holds_back_cleanup is holds
    wait_until(lambda: found(pid) is None)


def test_its_own_transaction_is_not_counted(monkeypatch):
    monkeypatch.setattr(
        "inbox.monitoring.transactions.SELECT_OLDEST",
        SELECT_OLDEST.replace("WHERE xact_start", "WHERE datname = current_database() AND xact_start"),
    )
    with transaction.atomic():
        job()
        assert find_transactions().oldest == []


@pytest.mark.django_db(transaction=False)
def test_sessions_that_may_not_be_looked_into_are_counted():
    with another_session("SELECT 1"):
        sql("CREATE ROLE inbox_test_without_rights")
        sql("SET LOCAL ROLE inbox_test_without_rights")
        hidden = find_transactions()
        assert hidden.hidden >= 1
        assert "GRANT pg_read_all_stats TO inbox_test_without_rights;" in [do for _, do in warnings(hidden)]


def test_a_warning_stands_on_the_page():
    seen = take_snapshot()
    sick = type(seen)(
        **{name: getattr(seen, name) for name in seen.__slots__} | {"transactions": Transactions([open_transaction()])}
    )
    assert "WARNING: A transaction has been open for 90 s" in page(sick, [])
    assert "  SELECT pg_terminate_backend(4711);" in page(sick, []).splitlines()
