"""One run: a server of its own, a backlog, producers, workers, a monkey; then calm, and the account."""

import os
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from unittest.mock import patch

import django
import psycopg

from config.embedded_postgres.server import DATABASE, PORT, SERVER_OPTIONS, USER, Server
from tests.chaos import domain
from tests.chaos.audited import audited
from tests.chaos.domain.account import accounted
from tests.chaos.invariants import ACCOUNT, ALWAYS, AT_THE_END, broken
from tests.chaos.monkey import Monkey
from tests.chaos.producers import MessageIds, Producer, Witness, write_backlog
from tests.support.pooler import Pooler
from tests.support.zygote import is_alive

PRODUCERS = 2
# Few enough that strangers take all of them at once; more than all who belong to a run ever have.
CONNECTIONS = 60
POOL_SIZE = 30
# Beside the restarts, one of which is to strike while the strangers are there.
RESTARTS_AT = (0.35, 0.7)
STRANGERS_AT = 0.45
STRANGERS_STAY_S = 10.0
POOLER_DIES_AT = 0.2
LOOK_EVERY_S = 1.0
# More than the lookback, the reconcile and the longest backoff of the chaos settings together.
STUCK_AFTER_S = 12.0
SCHEMA = Path(__file__).with_name("schema.sql")


def mutants() -> list[str]:
    """The names of the protections that a run can do without."""
    # The processes of a run have their own Django; this one needs it for nothing else.
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.chaos.settings"
    django.setup()
    from tests.chaos.mutants import MUTANTS

    return list(MUTANTS)


def run(
    folder: Path, *, seconds: float, seed: int, mutant: str | None = None, behind_pooler: bool = False, say=print
) -> dict[str, list[tuple]]:
    """Break things for `seconds`; returns the invariants that did not hold, each with rows that show it."""
    server = Server(folder / ".postgres")
    log = folder / "processes.log"
    say(
        f"chaos: seed {seed}, {seconds:g} s"
        + (", behind a pooler" if behind_pooler else "")
        + (f", without a protection: {mutant}" if mutant else "")
    )
    with ExitStack() as ends:
        with patch.dict(SERVER_OPTIONS, max_connections=str(CONNECTIONS)):
            server.start()
        ends.callback(server.stop)
        pooler = ends.enter_context(_pooler(folder / "pooler", server)) if behind_pooler else None
        monkey = Monkey(server, seed, log, mutant, pooler)
        ends.callback(monkey.end)
        found = _run(monkey, seconds, seed, say)
    for name, rows in found.items():
        say(f"BROKEN: {name}")
        for row in rows:
            say(f"  {row}")
    if found and not mutant:
        say(_tail(log))
    return found


def _pooler(folder: Path, server: Server) -> Pooler:
    folder.mkdir()
    address = {"host": server.socket_dir, "port": PORT, "dbname": DATABASE, "user": USER}
    return Pooler(folder, address, size=POOL_SIZE, home=server.home)


def _run(monkey: Monkey, seconds: float, seed: int, say) -> dict[str, list[tuple]]:
    url = monkey.url
    _wait_for_end(monkey.start("migrate", "--verbosity", "0"))
    ids = MessageIds(monkey.rng)
    with psycopg.connect(url) as connection:
        connection.execute(SCHEMA.read_text())
    domain.set_up(url)
    write_backlog(url, ids, monkey.rng)
    monkey.keep_workers()
    their_url = monkey.pooler.url if monkey.pooler else url
    witnesses = [Witness(their_url, ids, seed + number) for number in range(PRODUCERS)]
    producers: list[Producer] = [*witnesses, *domain.traffic(their_url, seed)]
    for producer in producers:
        producer.start()
    watch = Watch(url)
    watch.start()
    began = time.monotonic()
    strangers_at = began + seconds * STRANGERS_AT
    planned = [(began + seconds * share, monkey.restart_server) for share in RESTARTS_AT]
    planned += [(strangers_at, monkey.bring_strangers), (strangers_at + STRANGERS_STAY_S, monkey.send_strangers_away)]
    if monkey.pooler:
        planned.append((began + seconds * POOLER_DIES_AT, monkey.restart_pooler))
    planned.sort(key=lambda plan: plan[0])
    next_act = began
    while time.monotonic() < began + seconds and not watch.found:
        if planned and time.monotonic() > planned[0][0]:
            planned.pop(0)[1]()
        if time.monotonic() >= next_act:
            monkey.act()
            next_act = time.monotonic() + monkey.rng.uniform(0.2, 1.0)
        monkey.thaw()
        monkey.keep_workers()
        time.sleep(0.05)
    monkey.send_strangers_away()
    for producer in producers:
        producer.stop.set()
    for producer in producers:
        producer.join()
        if producer.error:
            watch.found["a writer has ended by itself"] = [(producer.error,)]
    if not watch.found:
        witnesses[0].bring_everything(url)
        monkey.send_people_home()
        domain.bring_everything(url, seed)
        _settle(monkey, watch)
    if not watch.found:
        watch.found |= audited(url) | accounted(url)
    _report(monkey, producers, watch, url, say)
    return watch.found


class Watch(threading.Thread):
    """Checks the invariants again and again; a violation that was found once is kept."""

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
    if not watch.found:
        with psycopg.connect(watch.url, autocommit=True) as connection:
            watch.found |= broken(connection, ACCOUNT)


def _report(monkey: Monkey, producers: list[Producer], watch: Watch, url: str, say) -> None:
    say("done to them: " + ", ".join(f"{count} {name}" for name, count in sorted(monkey.counts.items())))
    if monkey.strangers:
        say(f"strangers had {monkey.strangers.most} of {CONNECTIONS} connections")
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
