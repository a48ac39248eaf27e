"""The disk of the server is full, or slow."""

from contextlib import suppress

import psycopg

from tests.chaos.faults.fault import Fault


class DiskFull(Fault):
    name = "disk full"
    does = "no byte is left where the primary's data and WAL lie, for 1 to 4 s; if it has ended by then, it is started"
    weight = 0.5
    lasts_s = (1.0, 4.0)
    takes_server = True

    @classmethod
    def missing(cls, stage):
        return None if stage.has_disks else "root and leave to mount, and no run of the tests"

    def begin(self, monkey):
        self._disk = monkey.stage.fill_disk()

    def end(self, monkey):
        self._disk.free()
        monkey.stage.wait_until_it_answers()


class SlowDisk(Fault):
    name = "slow disk"
    does = "each flush of the WAL takes 100 ms more (commit_delay), for 2 to 6 s"
    lasts_s = (2.0, 6.0)
    settings = {"commit_delay": "100000", "commit_siblings": "0"}

    def begin(self, monkey):
        with monkey.stage.connect() as connection:
            for name, value in self.settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = {value}")
            connection.execute("SELECT pg_reload_conf()")

    def end(self, monkey):
        with suppress(psycopg.Error), monkey.stage.connect() as connection:
            for name in self.settings:
                connection.execute(f"ALTER SYSTEM RESET {name}")
            connection.execute("SELECT pg_reload_conf()")
