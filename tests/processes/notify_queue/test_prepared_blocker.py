"""A prepared transaction, which has no session, has a table locked: people are told which one."""

import threading

import psycopg
import pytest

from inbox.db.blockers import find_blocker
from tests.support.probe import wait_until


def test_a_prepared_transaction_that_has_a_table_locked_is_named_and_so_is_who_waits_behind_it(here, server):
    here.execute("BEGIN; LOCK TABLE packet; PREPARE TRANSACTION 'of a neighbour'")
    try:
        assert find_blocker().startswith("table packet is locked by the prepared transaction of a neighbour for ")
    finally:
        here.execute("ROLLBACK PREPARED 'of a neighbour'")
    assert find_blocker() is None
    here.execute("BEGIN; SELECT count(*) FROM packet; PREPARE TRANSACTION 'of a reader'")
    with server.connect("serviceops") as other:
        thread = threading.Thread(target=_wait_for_lock, args=[other])
        thread.start()
        try:
            wait_until(find_blocker)
            pid = other.info.backend_pid
            assert find_blocker().startswith(f"pid {pid} (no name) waits for ")
            assert find_blocker().endswith(" s to lock table packet, behind a prepared transaction")
        finally:
            other.cancel()
            thread.join()
            here.execute("ROLLBACK PREPARED 'of a reader'")


def _wait_for_lock(other):
    with pytest.raises(psycopg.errors.QueryCanceled):
        other.execute("BEGIN; LOCK TABLE packet")
