"""Throughput, connections and memory by size of deployment: workers x batch size, and web processes x pool size.

    .venv/bin/python -m benchmarks.sizing [--messages 10000] [--rounds 2] [--seconds 5]      # some 2 minutes

Workers are real `run_inbox_worker` processes with presence. They idle until all messages are committed at once; the
time ends when the last job is DONE, by the database's clock. The web is gunicorn as deploy/ runs it. 8 logged-in users
load the list of jobs again and again for `--seconds`, each time over a new connection, as a proxy does. Connections are
the most at any moment, memory is the largest RSS of a process at the end. Each figure is the median of `--rounds`.
"""

import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from benchmarks import database
from benchmarks.drain import FILL, TABLES
from benchmarks.processes import GIVE_UP_AFTER_S, run_workers, running, wait_until

DATABASE = "serviceops_bench_sizing"
WORKERS = (1, 2, 4)
BATCHES = (20, 200, 1000)
# Web processes, and the pool size of each.
WEBS = ((1, 2), (1, 4), (2, 2), (2, 4))
PEOPLE = 8
PASSWORD = "only-for-benchmarks"  # noqa: S105 of a database that is dropped in the end
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
DONE = "SELECT count(*), extract(epoch FROM max(finished_at)) FROM integration_inbox WHERE status = 'DONE'"


def main() -> None:
    options = database.options(__doc__, messages=10_000, rounds=2, seconds=5.0)
    import psycopg

    with database.scratch(DATABASE) as url, psycopg.connect(url, autocommit=True) as connection:
        print(f"{os.cpu_count()} cores that the server shares; {database.noise()}\n")
        # A round to warm the caches.
        measure_workers(connection, url, 1, 200, options.messages // 5)
        print("| workers | batch | jobs/s | connections | MB a process |\n|--:|--:|--:|--:|--:|")
        for workers in WORKERS:
            for batch in BATCHES:
                args = (connection, url, workers, batch, options.messages)
                rounds = [measure_workers(*args) for _ in range(options.rounds)]
                print_row(workers, batch, *medians(rounds))
        print("\n| web processes | pool | pages/s | p95 ms | connections | MB a process |\n|--:|--:|--:|--:|--:|--:|")
        make_person(url)
        for processes, pool in WEBS:
            with web(url, processes, pool) as (base, gunicorn):
                rounds = [measure_web(connection, base, gunicorn, options.seconds) for _ in range(options.rounds)]
                print_row(processes, pool, *medians(rounds))
        print(f"\n{database.noise()}")


def print_row(*values: float) -> None:
    print("| " + " | ".join(f"{value:,.0f}" for value in values) + " |", flush=True)


def medians(rounds: list[tuple[float, ...]]) -> list[float]:
    return [statistics.median(values) for values in zip(*rounds, strict=True)]


def measure_workers(connection: Any, url: str, workers: int, batch: int, messages: int) -> tuple[float, ...]:
    """Jobs a second, the most connections, and megabytes of the largest process."""
    connection.execute(f"TRUNCATE {TABLES} RESTART IDENTITY CASCADE")
    with run_workers(url, workers, "--batch-size", str(batch), LOG_LEVEL="WARNING") as processes:
        connection.execute(FILL, [messages])
        [[began]] = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchall()
        most = 0

        def is_done() -> bool:
            nonlocal most
            most = max(most, *connection.execute(SESSIONS, ["serviceops-worker"]).fetchone())
            return connection.execute(DONE).fetchone()[0] == messages

        wait_until(is_done, processes)
        [[_, ended]] = connection.execute(DONE).fetchall()
        return messages / float(ended - began), most, largest_mb(processes)


def make_person(url: str) -> None:
    script = f"from django.contrib.auth.models import User; User.objects.create_superuser('ada', password={PASSWORD!r})"
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", script]
    subprocess.run(command, env=database.environment(url), check=True)


@contextmanager
def web(url: str, processes: int, pool: int) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run gunicorn; yield its address and its process once it answers."""
    import httpx

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"DEBUG": "off", "HTTPS": "off", "ALLOWED_HOSTS": "127.0.0.1", "DB_WEB_POOL_SIZE": str(pool)}
    settings |= {"WEB_BIND": f"127.0.0.1:{port}", "WEB_WORKERS": str(processes)}
    base = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{base}/healthz", timeout=10).is_success
        return False

    command = ["-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "config.wsgi"]
    with running([command], database.environment(url) | settings) as [gunicorn]:
        wait_until(answers, [gunicorn])
        yield base, gunicorn


def measure_web(connection: Any, base: str, gunicorn: subprocess.Popen, seconds: float) -> tuple[float, ...]:
    """Pages a second, their p95 in ms, the most connections, and megabytes of the largest process."""
    took: list[float] = []
    gate = threading.Barrier(PEOPLE + 1)
    people = [threading.Thread(target=look, args=(base, seconds, gate, took), daemon=True) for _ in range(PEOPLE)]
    for person in people:
        person.start()
    gate.wait(GIVE_UP_AFTER_S)
    most = 0
    while any(person.is_alive() for person in people):
        most = max(most, *connection.execute(SESSIONS, ["serviceops-web"]).fetchone())
        time.sleep(0.05)
    return len(took) / seconds, database.percentile(took, 95), most, largest_mb([gunicorn])


def look(base: str, seconds: float, gate: threading.Barrier, took: list[float]) -> None:
    """One user: log in, wait for the others, then load the list of jobs again and again."""
    import httpx

    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=base, timeout=60, follow_redirects=True, limits=limits) as client:
        client.get("/admin/login/")
        data = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        client.post("/admin/login/", data=data)
        gate.wait(GIVE_UP_AFTER_S)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter()
            answer = client.get("/admin/inbox/inboxjob/")
            took.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200
            assert "Log out" in answer.text


def largest_mb(processes: list[subprocess.Popen]) -> float:
    """The largest RSS of the processes and their children, in megabytes."""
    import psutil

    roots = [psutil.Process(process.pid) for process in processes]
    family = [member for root in roots for member in (root, *root.children(recursive=True))]
    return max(member.memory_info().rss for member in family) / 1e6


if __name__ == "__main__":
    main()
