"""verify_locks --audit as an auditor runs it: a login that may only read, in sessions that can't write."""

import json
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from django.db import connection

from tests.support.audit.damage import damage
from tests.support.audit.stories import tell_story

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "only-for-tests"


@pytest.fixture
def auditor_url(command_environment):
    """The address for a login with SELECT on tables and sequences, and nothing else."""
    role = f"auditor_{uuid4().hex[:8]}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        cursor.execute(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
    parts = urlsplit(command_environment["DATABASE_URL"])
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(filter(None, [parts.query, "options=-c%20default_transaction_read_only=on"]))
    yield urlunsplit(parts._replace(netloc=f"{role}:{PASSWORD}@{host}", query=query))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {role}")
        cursor.execute(f"DROP ROLE {role}")


def test_an_auditor_who_may_only_read_sees_damage_and_its_absence(auditor_url, run_command):
    packet = tell_story()
    code, out, err = run_command("verify_locks", "--audit", DATABASE_URL=auditor_url)
    assert (code, out) == (0, "The audit found nothing wrong.\n"), err
    damage("DELETE FROM send_integration")
    code, out, err = run_command("verify_locks", "--audit", "--json", DATABASE_URL=auditor_url)
    [finding] = json.loads(out)["findings"]
    assert (code, finding["check"], finding["rows"]) == (
        1,
        "letters twice or missing",
        [f"packet {packet.pk}, round 1: 0"],
    )
    assert err.endswith("The audit has findings.\n")
