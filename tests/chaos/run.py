"""One run: a server of its own, a backlog, producers, workers, a monkey; then calm, and the account."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from config.devdb import Server
from tests.chaos.invariants import ALWAYS, AT_THE_END, broken
from tests.chaos.monkey import Monkey, is_alive
from tests.chaos.producers import MessageIds, Producer, write_backlog

PRODUCERS = 2
LOOK_EVERY_S = 1.0
# More than the lookback, the reconcile and the longest backoff of the chaos settings together.
STUCK_AFTER_S = 12.0
SCHEMA = Path(__file__).with_name("schema.sql")


def run(folder: Path, *, seconds: float, seed: int, mutant: str | None = None, say=print) -> dict[str, list[tuple]]:
    """Break things for `seconds`; returns the invariants that did not hold, each with rows that show it."""
    server = Server(folder / ".postgres")
    server.start()
    url = server.url()
    log = folder / "processes.log"
    monkey = Monkey(server, url, seed, log, mutant)
    say(f"chaos: seed {seed}, {seconds:g} s" + (f", without a protection: {mutant}" if mutant else ""))
    try:
        found = _run(monkey, url, seconds, seed, say)
    finally:
        monkey.end()
        server.stop()
    for name, rows in found.items():
        say(f"BROKEN: {name}")
        for row in rows:
            say(f"  {row}")
    if found and not mutant:
        say(_tail(log))
    return found


def _run(monkey: Monkey, url: str, seconds: float, seed: int, say) -> dict[str, list[tuple]]:
    _wait_for_end(monkey.start("migrate", "--verbosity", "0"))
    ids = MessageIds(monkey.rng)
    with psycopg.connect(url) as connection:
        connection.execute(SCHEMA.read_text())
    write_backlog(url, ids, monkey.rng)
    monkey.keep_workers()
    producers = [Producer(url, ids, seed + number) for number in range(PRODUCERS)]
    for producer in producers:
        producer.start()
    watch = Watch(url)
    watch.start()
    began = time.monotonic()
    restarts = [began + seconds * share for share in (0.35, 0.7)]
    next_act = began
    while time.monotonic() < began + seconds and not watch.found:
        if restarts and time.monotonic() > restarts[0]:
            restarts.pop(0)
            monkey.restart_server()
        if time.monotonic() >= next_act:
            monkey.act()
            next_act = time.monotonic() + monkey.rng.uniform(0.2, 1.0)
        monkey.thaw()
        monkey.keep_workers()
        time.sleep(0.05)
    for producer in producers:
        producer.stop.set()
    for producer in producers:
        producer.join()
    if not watch.found:
        producers[0].bring_everything()
        _settle(monkey, watch)
    _report(monkey, producers, watch, url, say)
    return watch.found


class Watch(threading.Thread):
    """Asks the invariants again and again; what was broken once stays found."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.found: dict[str, list[tuple]] = {}
        self.looks = 0
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(LOOK_EVERY_S):
            with suppress(psycopg.OperationalError):  # the server is on its way up
                self.look()

    def look(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            self.found |= broken(connection, ALWAYS)
        self.looks += 1

    def count_ended(self) -> int:
        with psycopg.connect(self.url, autocommit=True) as connection:
            ended = connection.execute("SELECT count(*) FROM integration_inbox WHERE status IN ('DONE', 'DEAD')")
            [count] = ended.fetchall()[0]
        return count

    def what_is_open(self) -> dict[str, list[tuple]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return broken(connection, AT_THE_END)


def _settle(monkey: Monkey, watch: Watch) -> None:
    """No more harm: everything must end by itself. It is stuck if nothing at all ends for a while."""
    monkey.thaw(all_of_them=True)
    still_open, ended, deadline = watch.what_is_open(), -1, 0.0
    while still_open and not watch.found:
        if (now_ended := watch.count_ended()) > ended:
            ended, deadline = now_ended, time.monotonic() + STUCK_AFTER_S
        elif time.monotonic() > deadline:
            break
        monkey.keep_workers()
        time.sleep(0.2)
        still_open = watch.what_is_open()
    watch.stop.set()
    watch.join()
    if not watch.found:
        watch.found |= still_open
    watch.look()


def _report(monkey: Monkey, producers: list[Producer], watch: Watch, url: str, say) -> None:
    say("done to them: " + ", ".join(f"{count} {name}" for name, count in sorted(monkey.counts.items())))
    written = sum((producer.counts for producer in producers), start=type(producers[0].counts)())
    say("transactions: " + ", ".join(f"{count} {name}" for name, count in sorted(written.items())))
    with psycopg.connect(url, autocommit=True) as connection:
        for title, query in REPORT.items():
            say(f"{title}: " + ", ".join(" ".join(map(str, row)) for row in connection.execute(query)))
    say(f"invariants asked {watch.looks} times")


REPORT = {
    "messages": "SELECT count(*) FROM chaos_message",
    "jobs": "SELECT count(*), status FROM integration_inbox GROUP BY 2 ORDER BY 2",
    "failed attempts": """
        SELECT count(*), e ->> 'kind' FROM integration_inbox, jsonb_array_elements(errors) AS e GROUP BY 2""",
    "moves": "SELECT count(*), old_status || '→' || new_status FROM chaos_move GROUP BY 2 ORDER BY 1 DESC",
    "found by": """
        SELECT lookback_finds, 'lookback,', reconcile_finds, 'reconcile' FROM poll_watermark WHERE source = 'chaos'""",
    "deadlocks since the last restart": "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
}


def _wait_for_end(pid: int) -> None:
    while is_alive(pid):
        time.sleep(0.05)


def _tail(log: Path, lines: int = 60) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
