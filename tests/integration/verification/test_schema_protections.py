"""A constraint, index or trigger that is taken out comes back as it was."""

import pytest
from django.db import IntegrityError, connection, transaction

from inbox.models import InboxJob
from tests.support.rows import job
from verification.protections.schema import without_constraint, without_index, without_trigger

pytestmark = pytest.mark.django_db(transaction=True)

UNIQUE = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'inbox_one_job_per_message'"
TRIGGER = "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'inbox_guard_moves'"


def ask(query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def finds_a_second_job():
    try:
        with transaction.atomic():
            job(message_id=1)
    except IntegrityError:
        return True
    return False


def test_a_unique_key_is_out_while_the_block_lasts_and_comes_back_as_it_was():
    before = ask(UNIQUE)
    job(message_id=1)
    assert finds_a_second_job()
    with without_constraint("integration_inbox", "inbox_one_job_per_message", clean=InboxJob.objects.all().delete):
        assert ask(UNIQUE) == []
        assert not finds_a_second_job()
    assert ask(UNIQUE) == before
    job(message_id=1)
    assert finds_a_second_job()


def test_it_comes_back_after_an_error_too():
    with (
        pytest.raises(ZeroDivisionError),
        without_constraint("integration_inbox", "inbox_one_job_per_message"),
    ):
        raise ZeroDivisionError
    assert ask(UNIQUE)


def test_a_partial_unique_index_comes_back_as_it_was():
    [(name,)] = ask(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'packet_decision'::regclass"
        " AND indisunique AND indpred IS NOT NULL"
    )
    definition = f"SELECT pg_get_indexdef(to_regclass('{name}'))"
    before = ask(definition)
    with without_index(name):
        assert ask(definition) == [(None,)]
    assert ask(definition) == before


def test_a_trigger_is_off_while_the_block_lasts():
    assert ask(TRIGGER) == [("O",)]
    with without_trigger("integration_inbox", "inbox_guard_moves"):
        assert ask(TRIGGER) == [("D",)]
    assert ask(TRIGGER) == [("O",)]


def test_a_trigger_that_fires_always_comes_back_as_such():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE integration_inbox ENABLE ALWAYS TRIGGER inbox_guard_moves")
    try:
        with without_trigger("integration_inbox", "inbox_guard_moves"):
            assert ask(TRIGGER) == [("D",)]
        assert ask(TRIGGER) == [("A",)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE integration_inbox ENABLE TRIGGER inbox_guard_moves")


@pytest.mark.parametrize(
    "out",
    [
        lambda: without_constraint("integration_inbox", "no_such_thing"),
        lambda: without_index("no_such_thing"),
        lambda: without_trigger("integration_inbox", "no_such_thing"),
    ],
    ids=["constraint", "index", "trigger"],
)
def test_what_is_not_there_cannot_be_taken_out(out):
    with pytest.raises(LookupError, match="no_such_thing"), out():
        pytest.fail("it ran without it")
