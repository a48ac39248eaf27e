"""Rights to write our tables, numbers that rows have already, and that looking takes no more than SELECT."""

import re
from dataclasses import replace

import pytest
from django.db import connection, transaction

from config.management.commands.sql_grants import grants
from verification.row import Row
from verification.set_up.expected import load
from verification.set_up.inspect import inspect
from verification.set_up.installed import our_schema, our_tables
from verification.set_up.rights import read_rights
from verification.set_up.roles import GROUPS
from verification.set_up.trouble import ROW_OF_TABLE

pytestmark = pytest.mark.django_db

EXPECTED = load()
PREFIX = "set_up_test_"
TABLES = tuple(name for name in EXPECTED.objects if name.startswith("table "))


def run(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def row(*objects, key="a-row"):
    return Row(key, "0", "A row", "Nothing is lost.", "By these.", (), (), objects=objects)


def findings(*objects, key="a-row"):
    return inspect([row(*objects, key=key)]).findings[key]


@pytest.fixture
def granted(db):
    """sql_grants was run, with a login in each group; all of it is rolled back."""
    run(re.sub(r"\n(BEGIN|COMMIT);\n", "\n", grants(PREFIX)))
    for group in GROUPS:
        run(f"CREATE ROLE {PREFIX}{group}_login LOGIN IN ROLE {PREFIX}{group}")


def test_sql_grants_gives_what_is_written_down(granted):
    """If this fails after a change of grants.sql: python -m tools.expected_set_up."""
    tables = our_tables()
    read = read_rights(our_schema(tables), tables, ["packet_external_number"], [PREFIX + group for group in GROUPS])
    assert {group: read[PREFIX + group] for group in GROUPS} == EXPECTED.rights


def test_as_granted_nothing_is_wrong(granted):
    found = inspect([row(*TABLES, "sequence packet_external_number")])
    assert found.findings == {"a-row": []}
    assert f"as of sql_grants, for {PREFIX}*" in dict(found.facts)["grants"]


@pytest.mark.parametrize("right", ["UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "UPDATE (status)"])
def test_another_program_that_may_write_jobs(granted, right):
    run(f"GRANT {right} ON integration_inbox TO {PREFIX}integration_login")
    [found] = findings("table integration_inbox")
    assert found.about == f"grants of {PREFIX}integration_login"
    assert found.what == f"may also {right} on table integration_inbox"
    run(found.mend.partition(" (or")[0])
    assert findings("table integration_inbox") == []


def test_a_group_with_more_than_it_should_have_reaches_its_logins(granted):
    run(f"GRANT UPDATE (decision_revision) ON service_ops_send_serviceops TO {PREFIX}clinicalops")
    told = findings("table service_ops_send_serviceops")
    assert [one.about for one in told] == [f"grants of {PREFIX}clinicalops", f"grants of {PREFIX}clinicalops_login"]
    assert f"sql_grants --prefix {PREFIX}" in told[0].mend


def test_what_everybody_may_do(granted):
    run("GRANT DELETE ON inbox_audit TO PUBLIC")
    assert {one.what for one in findings("table inbox_audit")} == {"may also DELETE on table inbox_audit"}


def test_a_program_in_a_group_that_is_not_its_own(granted):
    run(f"GRANT {PREFIX}worker TO {PREFIX}integration_login")
    assert "may also DELETE, INSERT, UPDATE on table integration_inbox" in {
        one.what for one in findings("table integration_inbox")
    }


def test_a_right_that_a_program_lacks(granted):
    run(f"REVOKE UPDATE ON packet FROM {PREFIX}worker")
    told = findings("table packet")
    assert {one.what for one in told} == {"may not UPDATE on table packet, which its program needs"}


def test_sessions_that_can_not_be_counted(granted):
    run(f"REVOKE pg_read_all_stats FROM {PREFIX}worker")
    [found] = findings(key="connections")
    assert found.mend == f"as a superuser: GRANT pg_read_all_stats TO {PREFIX}worker_login;"


def test_a_login_outside_the_groups_is_a_fact(granted):
    run("CREATE ROLE some_script LOGIN; GRANT DELETE ON packet TO some_script")
    assert "some_script" in dict(inspect([]).facts)["writers in no group"]


def test_an_identity_behind_its_table(db):
    run("INSERT INTO integration_send_serviceops (message_id, payload) VALUES (9000000, '{}')")
    [found] = findings("table integration_send_serviceops")
    assert found.about == "identity integration_send_serviceops.message_id"
    assert "a row has 9000000" in found.what
    assert found.mend == "manage.py fix_identities"


def test_the_sequence_of_packet_numbers_behind_its_table(db):
    run(
        "INSERT INTO packet (external_id, decision_tracking_id, channel_type_id)"
        " VALUES ('SVC-2026-9000000', gen_random_uuid(), 3)"
    )
    [found] = findings("sequence packet_external_number")
    assert "a packet has 9000000" in found.what
    run(found.mend)
    assert findings("sequence packet_external_number") == []


def test_each_table_has_a_row_that_tells_of_it():
    assert {*ROW_OF_TABLE, "inbox_tally"} == set(our_tables())


def test_select_is_enough_and_nothing_can_be_written(db):
    run("CREATE ROLE set_up_reader", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO set_up_reader")
    run("DROP INDEX inbox_due", "SET LOCAL ROLE set_up_reader")
    found = inspect([row("index inbox_due", *TABLES)])
    assert [one.about for one in found.findings["a-row"]] == ["index inbox_due"]
    assert "integration_inbox" in dict(found.facts)["numbers that this role may not look at"]


def test_a_role_that_may_read_nothing_still_gets_what_the_catalogues_say(db):
    run("CREATE ROLE set_up_stranger", "DROP INDEX inbox_due", "SET LOCAL ROLE set_up_stranger")
    found = inspect([row("index inbox_due", *TABLES)])
    assert [one.about for one in found.findings["a-row"]] == ["index inbox_due"]
    assert dict(found.facts)["migrations"].startswith("unknown")


def test_it_runs_in_a_read_only_transaction(db, monkeypatch):
    def write():
        run("INSERT INTO inbox_pause (source, reason, next_try_at) VALUES ('x', 'x', now())")

    monkeypatch.setattr("verification.set_up.inspect.number_troubles", write)
    with pytest.raises(Exception, match="read-only transaction"), transaction.atomic():
        inspect([])


def test_without_a_table_of_ours_every_row_says_so(db):
    run(*[f"ALTER TABLE {name.split()[1]} RENAME TO gone_{number}" for number, name in enumerate(TABLES)])
    [found] = findings("index inbox_due")
    assert found.what == "has none of the tables that ServiceOps works on"
    assert found.mend == "manage.py migrate"


def test_without_a_table_of_ours_no_search_path_is_to_blame(db):
    run(*[f"ALTER TABLE {name.split()[1]} RENAME TO gone_{number}" for number, name in enumerate(TABLES)])
    found = inspect([replace(row("index inbox_due"), settings=("search_path",))])
    assert [one.what for one in found.findings["a-row"]] == ["has none of the tables that ServiceOps works on"]
