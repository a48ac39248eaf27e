"""The cost of an idle worker in queries, CPU and memory: just started, and after 20,000 messages.

    .venv/bin/python -m benchmarks.idle [--seconds 30] [--messages 20000]

One process with presence and LISTEN runs the worker command. A libpq trace in it counts what it sends: queries, and
separately BEGIN and COMMIT. `server CPU` is the CPU time of its two backends.
"""

import os
import re
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import database
from benchmarks.drain import FILL
from benchmarks.processes import running

DATABASE = "serviceops_bench_idle"
SETTLE_S = 12  # for the first sweeps, and for what follows the last batch
BACKENDS = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
# Lines of the trace: F marks what the client sends, with the SQL in quotes. A Parse comes before each Execute.
SENT = re.compile(rb'\tF\t\d+\t(?:Query|Parse)\t[^"\n]*(?:"" )?"\s*(\w+)')
TRACE_TO = "BENCHMARK_TRACE"


def main() -> None:
    options = database.options(__doc__, seconds=30.0, messages=20_000)
    if TRACE_TO in os.environ:
        _run_traced_worker(os.environ[TRACE_TO])
        return
    import psycopg

    with (
        database.scratch(DATABASE) as url,
        psycopg.connect(url, autocommit=True) as connection,
        tempfile.NamedTemporaryFile() as trace,
    ):
        environment = database.environment(url) | {TRACE_TO: trace.name}
        print(f"\nidle for {options.seconds:g} s; {database.noise()}")
        print(f"{'worker':<24}{'queries/s':>10}{'BEGIN, COMMIT/s':>17}{'CPU %':>7}{'server CPU %':>14}{'RSS MB':>8}")
        with running([["-m", "benchmarks.idle"]], environment) as [worker]:
            _print_row("new", worker, connection, Path(trace.name), options.seconds)
            connection.execute(FILL, [options.messages])
            while connection.execute("SELECT count(*) FROM packet").fetchone() != (options.messages,):
                time.sleep(0.5)
            _print_row(f"after {options.messages:,} messages", worker, connection, Path(trace.name), options.seconds)


def _run_traced_worker(path: str) -> None:
    from django.core.management import call_command
    from django.db.backends.postgresql.base import DatabaseWrapper

    connect = DatabaseWrapper.get_new_connection

    def connect_and_trace(self: DatabaseWrapper, parameters: dict[str, Any]) -> Any:
        connection = connect(self, parameters)
        connection.pgconn.trace(os.open(path, os.O_WRONLY | os.O_APPEND))
        return connection

    DatabaseWrapper.get_new_connection = connect_and_trace  # type: ignore[assignment,method-assign]
    call_command("run_inbox_worker")


def _print_row(name: str, worker: subprocess.Popen, connection: Any, trace: Path, seconds: float) -> None:
    import psutil

    time.sleep(SETTLE_S)
    process = psutil.Process(worker.pid)
    backends = [psutil.Process(pid) for (pid,) in connection.execute(BACKENDS)]
    cpu_s, server_s, began, size = _cpu_s([process]), _cpu_s(backends), time.perf_counter(), trace.stat().st_size
    time.sleep(seconds)
    took_s = time.perf_counter() - began
    with trace.open("rb") as lines:
        lines.seek(size)
        words = Counter(SENT.findall(lines.read()))
    frames = words.pop(b"BEGIN", 0) + words.pop(b"COMMIT", 0)
    shares = [(_cpu_s([process]) - cpu_s) / took_s * 100, (_cpu_s(backends) - server_s) / took_s * 100]
    rss_mb = process.memory_info().rss / 1e6
    print(f"{name:<24}{words.total() / took_s:>10.2f}{frames / took_s:>17.2f}", end="")
    print(f"{shares[0]:>7.2f}{shares[1]:>14.2f}{rss_mb:>8.0f}", flush=True)


def _cpu_s(processes: list[Any]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


if __name__ == "__main__":
    main()
