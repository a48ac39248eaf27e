"""An id that was supplied ahead of the identity is reported, and the identity moved, before an INSERT meets it."""

from uuid import uuid4

import pytest
from django.core import checks
from django.db import IntegrityError, connection

from decisions.models import ClinicalOpsMessage, SendClinicalOps, SendIntegration
from inbox.db.identities import NEVER_REACHED, fix, identities_behind
from packets.models import IntegrationMessage
from tests.support import clinical
from tests.support.probe import in_threads
from tests.support.rows import send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


def warnings():
    found = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    return [message for message in found if message.id == "inbox.W002"]


def send_outbox(model, message_id=None):
    columns = {"decision_tracking_id": tracking_id(1), "payload": {}, "dedupe_key": f"test:{uuid4()}"}
    made = model.objects.create(**columns | ({"message_id": message_id} if message_id else {}))
    return made.message_id


INSERTS = {
    IntegrationMessage: lambda **columns: send({}, **columns),
    ClinicalOpsMessage: lambda **columns: clinical.write(1, **columns),
    SendIntegration: lambda **columns: send_outbox(SendIntegration, **columns),
    SendClinicalOps: lambda **columns: send_outbox(SendClinicalOps, **columns),
}


@pytest.mark.parametrize("model", INSERTS, ids=lambda model: model._meta.db_table)
def test_ids_that_are_ahead_are_told_and_mended_for_every_table_of_the_contract(model, run_command):
    insert = INSERTS[model]
    first = insert()
    assert warnings() == []
    for ahead in range(1, 4):
        insert(message_id=first + ahead)
    [warning] = warnings()
    assert model._meta.db_table in warning.msg
    assert warning.hint == "Type: manage.py fix_identities"
    code, out, _ = run_command("fix_identities")
    assert code == 0
    assert f"{model._meta.db_table}.message_id: next is {first + 4:,}, was {first + 1:,}" in out
    assert warnings() == []
    assert insert() == first + 4


def test_without_the_mend_each_insert_fails_once_for_each_supplied_id():
    first = send({})
    for ahead in (1, 2):
        send({}, message_id=first + ahead)
    for _ in range(2):
        with pytest.raises(IntegrityError):
            send({})
    assert send({}) == first + 3
    assert not identities_behind()


def test_the_check_of_the_command_line_tells_it(run_command):
    send({}, message_id=send({}) + 1)
    code, _, err = run_command("check", "--database", "default")
    assert code == 0
    assert "inbox.W002" in err


def test_an_id_at_the_end_of_bigint_is_not_moved_to():
    send({}, message_id=2**63 - 1)
    send({}, message_id=NEVER_REACHED)
    assert not identities_behind()
    assert send({}) < NEVER_REACHED


def test_an_identity_that_was_never_used_and_one_of_an_empty_table_are_read():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE integration_send_serviceops ALTER message_id RESTART WITH 7")
    assert not identities_behind()
    send({}, message_id=7)
    [behind] = identities_behind()
    assert (behind.next_value, behind.highest) == (7, 7)


def test_two_mends_and_inserts_at_once_give_no_number_twice():
    first = send({})
    send({}, message_id=first + 500)
    [behind] = identities_behind()
    mends = [lambda: fix(behind), lambda: fix(behind)]
    inserts = [lambda: [send({}) for _ in range(50)]] * 2
    results = in_threads(*mends, *inserts)
    assert [next_value for next_value in results[:2] if next_value is not None] == [first + 501]
    assert len({number for numbers in results[2:] for number in numbers}) == 100


def test_nothing_to_mend_is_said(run_command):
    send({})
    assert run_command("fix_identities")[1] == "no identity is behind\n"
    send({}, message_id=send({}) + 1)
    assert "but a row has" in run_command("fix_identities", "--dry-run")[1]
    assert identities_behind()
