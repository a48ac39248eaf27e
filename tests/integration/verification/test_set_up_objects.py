"""Each object that the migrations make is damaged in every way that its kind knows; the row that names it must tell."""

import pytest
from django.db import connection

from tests.support.verification.schema_damage import ways_to_damage
from verification.row import Row
from verification.set_up.expected import load
from verification.set_up.inspect import inspect
from verification.set_up.installed import our_schema, our_tables, read_installed

EXPECTED = load()
DAMAGES = [
    pytest.param(name, words, statements, id=f"{name} {words} {number}")
    for name, one in EXPECTED.objects.items()
    for number, (words, statements) in enumerate(ways_to_damage(one))
]

pytestmark = pytest.mark.django_db


def row_on(*objects):
    return Row("a-row", "0", "A row", "Nothing is lost.", "By these.", code=(), proofs=(), objects=objects)


def damage(statements):
    with connection.cursor() as cursor:
        cursor.execute(statements)


def test_the_migrations_make_what_is_written_down():
    """If this fails after a migration: python -m tools.expected_set_up."""
    tables = our_tables()
    assert read_installed(our_schema(tables), tables) == EXPECTED.objects


def test_as_migrated_nothing_is_wrong():
    found = inspect([row_on(*EXPECTED.objects)])
    assert found.findings == {"a-row": []}
    assert [name for name, _ in found.facts if name.startswith(("not in order", "not of the migrations"))] == []


@pytest.mark.parametrize(("name", "words", "statements"), DAMAGES)
def test_a_damaged_object_fails_the_row_that_stands_on_it(name, words, statements):
    damage(statements)
    findings = inspect([row_on(name)]).findings["a-row"]
    [told] = [one for one in findings if words in one.what]
    assert told.about == name
    assert told.endangers == "Nothing is lost."
    mend(told, but_not=("is UNLOGGED", "calls a function of another schema", "lacks the column"))


def mend(told, but_not):
    """Type what the finding says, and look again. A transaction can do nothing CONCURRENTLY."""
    command = told.mend.partition(" (")[0] if "; (" in told.mend else told.mend
    if told.what.startswith(but_not) or command.startswith("manage.py"):
        return
    damage(command.replace(" CONCURRENTLY", ""))
    assert inspect([row_on(told.about)]).findings == {"a-row": []}


def test_an_index_marked_invalid_of_a_partial_unique_key():
    damage("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'decision_one_active_per_packet'::regclass")
    [told] = inspect([row_on("index decision_one_active_per_packet")]).findings["a-row"]
    assert told.mend.startswith("REINDEX INDEX CONCURRENTLY decision_one_active_per_packet;")


def test_what_no_row_stands_on_is_told_as_a_fact():
    damage("DROP INDEX inbox_due")
    found = inspect([row_on("index inbox_claimed")])
    assert found.findings == {"a-row": []}
    assert dict(found.facts)["not in order: index inbox_due"].startswith("is missing. CREATE INDEX")


SWALLOW = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
ON_EACH_ROW = "ON poll_watermark FOR EACH ROW EXECUTE FUNCTION swallow()"


@pytest.mark.parametrize(
    ("statements", "about"),
    [
        ("CREATE RULE stay AS ON UPDATE TO poll_watermark DO INSTEAD NOTHING", "rule stay on poll_watermark"),
        (f"{SWALLOW} CREATE TRIGGER stay BEFORE UPDATE {ON_EACH_ROW}", "trigger stay on poll_watermark"),
    ],
)
def test_what_another_hand_put_on_a_table_to_change_its_rows_fails_the_row_of_the_table(statements, about):
    damage(statements)
    [finding] = inspect([row_on("table poll_watermark")]).findings["a-row"]
    assert (finding.about, finding.what) == (
        about,
        "is made by no migration, and can change or swallow what is written",
    )
    assert finding.mend.startswith(f"DROP {about.partition(' ')[0].upper()} stay ON poll_watermark;")


def test_a_trigger_of_another_hand_that_only_listens_is_a_fact():
    damage(f"{SWALLOW} CREATE TRIGGER listen AFTER UPDATE {ON_EACH_ROW}")
    found = inspect([row_on("table poll_watermark")])
    assert found.findings == {"a-row": []}
    assert ("not of the migrations", "trigger listen on poll_watermark") in found.facts
