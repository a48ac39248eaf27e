"""When an open transaction, a prepared one or a replication slot is a warning."""

from inbox.monitoring.transactions import Slot, Transactions, warnings
from tests.support.status import open_transaction


def test_an_old_transaction_is_a_warning_that_says_what_to_type():
    told = warnings(Transactions([open_transaction(age_s=61.0), open_transaction(age_s=59.0)]))
    [(why, do)] = told
    assert "open for 61 s (pid 4711, user op, database d, psql, idle in transaction)" in why
    assert "claims get slower" in why
    assert do == "SELECT pg_terminate_backend(4711);"


def test_a_transaction_that_keeps_no_rows_is_not_blamed_for_slow_claims():
    [(why, _)] = warnings(Transactions([open_transaction(holds_back_cleanup=False)]))
    assert "locks" in why
    assert "claims" not in why


def test_a_forgotten_prepared_transaction_and_a_slot_are_warnings_too():
    told = warnings(Transactions([open_transaction(pid=None, gid="it's")], slot=Slot("old standby", 200_000)))
    assert [do for _, do in told] == [
        "ROLLBACK PREPARED 'it''s';",
        "SELECT pg_drop_replication_slot('old standby');",
    ]
    assert warnings(Transactions(slot=Slot("standby", 200))) == []
