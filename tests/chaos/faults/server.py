"""The database server crashes, one of its backends is killed, or another server takes over."""

import os
import signal

from tests.chaos.faults.fault import Fault

SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'chaos %' ORDER BY pid"


class Restart(Fault):
    name = "server crashed"
    does = "the primary ends without a checkpoint, and recovers"
    weight = 0.7
    takes_server = True

    def begin(self, monkey):
        monkey.stage.restart()


class KillBackend(Fault):
    name = "backend killed"
    does = "SIGKILL to the backend of a worker, as when memory runs out: the server ends all sessions and recovers"
    weight = 0.7
    takes_server = True

    def begin(self, monkey):
        with monkey.stage.connect() as connection:
            pids = [pid for (pid,) in connection.execute(SESSIONS)]
            pids = pids or [connection.info.backend_pid]
            os.kill(monkey.rng.choice(pids), signal.SIGKILL)
        monkey.stage.wait_until_it_answers()


class FailOver(Fault):
    name = "failover"
    does = "the primary is killed, its synchronous standby promoted; a copy of it is the next standby"
    weight = 0.4
    takes_server = True

    def begin(self, monkey):
        monkey.stage.fail_over()


class Disconnect(Fault):
    name = "session ended"
    does = "the server ends a session: one that works, or one that shows a worker's presence"
    weight = 3

    def begin(self, monkey):
        with monkey.stage.connect() as connection:
            pids = [pid for (pid,) in connection.execute(SESSIONS)]
            if pids:
                connection.execute("SELECT pg_terminate_backend(%s)", [monkey.rng.choice(pids)])
