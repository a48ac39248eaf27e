"""Sessions run at READ COMMITTED, whatever the database, the role, the address or the session itself is set to."""

from contextlib import closing

import pytest
from django.conf import settings
from django.db import connection, transaction

from config.database_url import database
from inbox.worker.presence import Presence

pytestmark = pytest.mark.django_db(transaction=True)

LEVELS = ["repeatable read", "serializable"]


@pytest.fixture(params=LEVELS)
def level(request):
    """The database's default for new sessions, and the role's in it."""
    name = connection.settings_dict["NAME"]
    targets = [f'DATABASE "{name}"', f'ROLE CURRENT_USER IN DATABASE "{name}"']
    for target in targets:
        execute(f"ALTER {target} SET default_transaction_isolation = '{request.param}'")
    connection.close()
    yield request.param
    for target in targets:
        execute(f"ALTER {target} RESET default_transaction_isolation")
    connection.close()


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def isolation(of=None):
    """The level at which a statement of this connection runs."""
    with (of or connection).cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_isolation')")
        return cursor.fetchone()[0]


def test_transactions_and_single_statements(level):
    assert isolation() == "read committed"
    with transaction.atomic():
        assert isolation() == "read committed"
        with transaction.atomic():
            assert isolation() == "read committed"


def test_each_transaction_names_its_level_for_a_pooler_drops_the_option(level):
    execute(f"SET default_transaction_isolation = '{level}'")
    assert isolation() == level
    for _ in range(2):
        with transaction.atomic():
            assert isolation() == "read committed"


def test_the_connection_of_presence(level):
    with closing(Presence("worker A", "test")) as presence:
        assert isolation(presence._connection) == "read committed"
        presence._connection.execute(f"SET default_transaction_isolation = '{level}'")
        with presence._connection.transaction():
            assert isolation(presence._connection) == "read committed"


def test_an_address_can_not_change_it():
    address = settings.DATABASE_URL + ("&" if "?" in settings.DATABASE_URL else "?")
    found = database(
        "DATABASE_URL", f"{address}options=-c%20default_transaction_isolation%3Dserializable&isolation_level=4"
    )
    assert "serializable" in found["OPTIONS"]["options"]
    copy = connection.copy()
    copy.settings_dict |= {"OPTIONS": found["OPTIONS"]}
    with closing(copy):
        assert isolation(copy) == "read committed"
        copy.set_autocommit(False)
        assert isolation(copy) == "read committed"
        copy.rollback()
