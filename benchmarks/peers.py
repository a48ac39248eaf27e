"""How fast this project and other PostgreSQL job queues drain a backlog of no-op jobs, in one run.

    .venv/bin/python -m pip install -r requirements-peers.txt
    .venv/bin/python -m benchmarks.peers [--messages 20000] [--rounds 5] [--processes 1 2]

Each drains `--messages` jobs with payloads of about 900 B and a task that does nothing (benchmarks/race.py). The jobs
of the others are enqueued in bulk before, which is not measured; ours starts from source rows and makes the jobs first.

    ours                the engine with a handler that does nothing, batches of 200
    pgqueuer, quickest  asyncpg, uvloop, batches of 500
    pgqueuer            default settings: batches of 10
    procrastinate       10 jobs at a time (a tenth of the messages)
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import database, drain, race

DATABASE = "serviceops_bench_peers"
PAYLOAD = "x" * 900


def main() -> None:
    options = race.options(__doc__, OTHERS)
    if options.child:
        race.run_child(OTHERS[options.child]())
        return
    shapes = {shape: options.messages // (10 if shape == "procrastinate" else 1) for shape in ("ours", *OTHERS)}
    with database.scratch(DATABASE) as url:
        asyncio.run(_install(url))
        for processes in options.processes:
            rates = race.take_turns(shapes, options.rounds, partial(_measure, url, processes))
            race.print_table(processes, rates, "ours")


async def _install(url: str) -> None:
    import asyncpg
    from pgqueuer import AsyncpgDriver, Queries

    connection = await asyncpg.connect(url)
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()
    app = _procrastinate(url)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


def _measure(url: str, processes: int, shape: str, messages: int) -> float:
    """Jobs a second of one drain."""
    import psycopg

    if shape == "ours":
        return drain.measure(url, processes, "no-op", messages)
    clear, fill, left, done = BACKLOGS[shape.split(",")[0]]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(clear)
        connection.execute(fill, [PAYLOAD, messages])
        connection.execute("VACUUM ANALYZE pgqueuer, procrastinate_jobs")
        took_s = race.seconds_of("benchmarks.peers", shape, url, processes)
        rows = connection.execute(f"SELECT ({left}), ({done})").fetchone()
    assert rows == (0, messages), f"{shape}: {rows} instead of {(0, messages)}"
    return messages / took_s


# SQL that empties the tables, fills them, counts the jobs that are left, and counts those that are done.
BACKLOGS = {
    "pgqueuer": (
        "TRUNCATE pgqueuer, pgqueuer_log, pgqueuer_statistics",
        """INSERT INTO pgqueuer (priority, status, entrypoint, payload)
           SELECT 0, 'queued', 'nothing', convert_to(%s, 'UTF8') FROM generate_series(1, %s)""",
        "SELECT count(*) FROM pgqueuer",
        "SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'",
    ),
    "procrastinate": (
        "TRUNCATE procrastinate_jobs, procrastinate_events CASCADE",
        """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
           SELECT 'default', 'nothing', jsonb_build_object('padding', %s::text) FROM generate_series(1, %s)""",
        "SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'",
        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'",
    ),
}


def _pgqueuer(batch_size: int, new_loop: Callable[[], Any]) -> Callable[[], object]:
    import asyncpg
    from django.conf import settings
    from pgqueuer import AsyncpgDriver, Queries, QueueManager
    from pgqueuer.types import QueueExecutionMode

    async def connect() -> QueueManager:
        manager = QueueManager(Queries(AsyncpgDriver(await asyncpg.connect(settings.DATABASE_URL))))

        @manager.entrypoint("nothing")
        async def nothing(job: Any) -> None:
            pass

        return manager

    loop = new_loop()
    asyncio.set_event_loop(loop)
    manager = loop.run_until_complete(connect())
    return lambda: loop.run_until_complete(manager.run(batch_size=batch_size, mode=QueueExecutionMode.drain))


def _quickest_pgqueuer() -> Callable[[], object]:
    import uvloop

    return _pgqueuer(500, uvloop.new_event_loop)


def _procrastinate(url: str) -> Any:
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name="nothing", queue="default")
    async def nothing(padding: str) -> None:
        pass

    return app


def _drain_procrastinate() -> Callable[[], object]:
    from django.conf import settings

    app = _procrastinate(settings.DATABASE_URL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(app.open_async())

    async def work() -> None:
        await app.run_worker_async(wait=False, concurrency=10)
        await app.close_async()

    return lambda: loop.run_until_complete(work())


OTHERS: dict[str, Callable[[], Callable[[], object]]] = {
    "pgqueuer, quickest": _quickest_pgqueuer,
    "pgqueuer": partial(_pgqueuer, 10, asyncio.new_event_loop),
    "procrastinate": _drain_procrastinate,
}

if __name__ == "__main__":
    main()
