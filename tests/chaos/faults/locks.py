"""Somebody's migration, and somebody's report: a table is locked, an old snapshot is held."""

from contextlib import suppress

import psycopg

from tests.chaos.faults.fault import Fault

TABLES = ("integration_inbox", "poll_watermark", "chaos_message", "inbox_worker")


class LockTable(Fault):
    name = "table locked"
    does = "ACCESS EXCLUSIVE on a table that all need, for 5 to 8 s; lock_timeout is 5 s"
    weight = 0.4
    lasts_s = (5.0, 8.0)

    def begin(self, monkey):
        self._holder = psycopg.connect(monkey.stage.url)
        try:
            self._holder.execute("SET lock_timeout = '2s'")
            self._holder.execute(f"LOCK TABLE {monkey.rng.choice(TABLES)} IN ACCESS EXCLUSIVE MODE")
        except psycopg.Error:
            self._holder.close()
            raise

    def end(self, monkey):
        self._holder.close()


class OldSnapshot(Fault):
    name = "old snapshot"
    does = "autovacuum is off, and a transaction holds its snapshot, for 5 to 20 s"
    weight = 0.4
    lasts_s = (5.0, 20.0)

    def begin(self, monkey):
        _set(monkey, "ALTER SYSTEM SET autovacuum = off")
        self._holder = psycopg.connect(monkey.stage.url)
        try:
            self._holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            self._holder.execute("SELECT count(*) FROM poll_watermark")
        except psycopg.Error:
            self.end(monkey)
            raise

    def end(self, monkey):
        self._holder.close()
        with suppress(psycopg.Error):
            _set(monkey, "ALTER SYSTEM RESET autovacuum")


def _set(monkey, statement):
    with monkey.stage.connect() as connection:
        connection.execute(statement)
        connection.execute("SELECT pg_reload_conf()")
