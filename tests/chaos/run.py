"""One run: servers of its own, a backlog, producers, workers, a monkey; then calm, and the account."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import django
import psycopg

from tests.chaos import domain
from tests.chaos.account import Watch
from tests.chaos.audited import audited
from tests.chaos.domain.account import accounted
from tests.chaos.faults import KINDS
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.server import Restart
from tests.chaos.faults.strangers import StayingStrangers
from tests.chaos.monkey import Monkey
from tests.chaos.processes import Processes
from tests.chaos.producers import MessageIds, Producer, Witness, write_backlog
from tests.chaos.recovery import Recovery, longest_recoveries
from tests.chaos.stage import CONNECTIONS, Stage
from tests.support.zygote import is_alive

PRODUCERS = 2
# Beside what the monkey chooses; the second crash strikes while the strangers are there.
PLAN = ((0.35, Restart), (0.45, StayingStrangers), (0.7, Restart))
ACT_EVERY_S = (0.1, 0.6)
# More than the lookback and the longest backoff of the chaos settings together.
STUCK_AFTER_S = 8.0
# A reconcile reads all there is, so it must be rarer in a longer run.
SHORTEST_RECONCILE_S = 4.0
RECONCILES = 15
# A longer run begins with more, and has more jobs than small claims get done.
SHORT_RUN_S = 60
BATCH_SIZE, BATCH_SIZE_OF_LONG_RUN = 50, 200
BACKLOG, BACKLOG_OF_LONG_RUN = 1500, 60_000
SCHEMA = Path(__file__).with_name("schema.sql")


@dataclass
class Result:
    """`broken` are the invariants that did not hold, each with rows that show it."""

    broken: dict[str, list[tuple]] = field(default_factory=dict)
    messages: int = 0
    # Messages of the domain, what people did, and requests to the JSON Generator, each by kind.
    of_domain: dict[str, int] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    missing: dict[str, str] = field(default_factory=dict)
    recoveries: dict[str, Recovery] = field(default_factory=dict)
    # How long faults struck, how many jobs were open then, and how long the calm took in which they ended.
    broke_s: float = 0.0
    left: int = 0
    drained_s: float = 0.0
    deadlocks: int = 0


@dataclass
class Run:
    """The wishes for a run. Stops early, and is accounted for, at Ctrl-C."""

    folder: Path
    seconds: float
    seed: int
    mutant: str | None = None
    behind_pooler: bool = False
    # No run of the tests needs these: see Stage.
    has_disks: bool = False
    has_clocks: bool = False
    # If harm was found, the folder is left with logs and a dump of the database.
    keeps_evidence: bool = False
    plan: tuple = PLAN
    kinds: Sequence[type[Fault]] = KINDS
    say: Callable[[str], None] = print

    @property
    def is_long(self) -> bool:
        return self.seconds > SHORT_RUN_S

    @property
    def reconcile_every_s(self) -> float:
        return max(SHORTEST_RECONCILE_S, self.seconds / RECONCILES)


def mutants() -> list[str]:
    """The names of the protections that a run can do without."""
    # The processes of a run have their own Django; this one needs it for nothing else.
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.chaos.settings"
    django.setup()
    from tests.chaos.mutants import MUTANTS

    return list(MUTANTS)


def run(asked: Run) -> Result:
    """Break things for a while, then let all end."""
    rng = random.Random(asked.seed)
    log = asked.folder / "processes.log"
    asked.say(
        f"chaos: seed {asked.seed}, {asked.seconds:g} s"
        + (", behind a pooler" if asked.behind_pooler else "")
        + (f", without a protection: {asked.mutant}" if asked.mutant else "")
    )
    with ExitStack() as ends:
        stage = ends.enter_context(
            Stage(
                asked.folder,
                behind_pooler=asked.behind_pooler,
                has_disks=asked.has_disks,
                has_clocks=asked.has_clocks,
            )
        )
        environment = {
            "DATABASE_URL": stage.their_url,
            "DATABASE_DIRECT_URL": stage.direct_url if stage.pooler else "",
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "CHAOS_URL": stage.url,
            **domain.environment(),
            "CHAOS_RECONCILE_EVERY": str(asked.reconcile_every_s),
            "CHAOS_BATCH_SIZE": str(BATCH_SIZE_OF_LONG_RUN if asked.is_long else BATCH_SIZE),
            **({"CHAOS_MUTANT": asked.mutant} if asked.mutant else {}),
        }
        commands = domain.commands(asked.seed)
        processes = Processes(environment, log, rng, behind_pooler=asked.behind_pooler, commands=commands)
        ends.callback(processes.end)
        monkey = Monkey(stage, processes, MessageIds(rng), rng, asked.kinds)
        ends.callback(monkey.end)
        result = _run(monkey, asked)
        if result.broken and asked.keeps_evidence:
            stage.keep(asked.folder)
    for name, rows in result.broken.items():
        asked.say(f"BROKEN: {name}")
        for row in rows:
            asked.say(f"  {row}")
    if result.broken and not asked.mutant:
        asked.say(_tail(log))
    return result


def _run(monkey: Monkey, asked: Run) -> Result:
    stage, processes = monkey.stage, monkey.processes
    _wait_for_end(processes.start("migrate", "--verbosity", "0"))
    with psycopg.connect(stage.url) as connection:
        connection.execute(SCHEMA.read_text())
    domain.set_up(stage.url)
    write_backlog(stage.url, monkey.ids, monkey.rng, BACKLOG_OF_LONG_RUN if asked.is_long else BACKLOG)
    processes.keep()
    their_url = stage.pooler.url if stage.pooler else stage.url
    witnesses = [Witness(their_url, monkey.ids, asked.seed + number) for number in range(PRODUCERS)]
    producers: list[Producer] = [*witnesses, *domain.traffic(their_url, asked.seed)]
    for producer in producers:
        producer.start()
    watch = Watch(stage.url)
    watch.start()
    began = time.monotonic()
    _break_things(monkey, asked, watch)
    monkey.end_all()
    # It may have crashed by itself, as with a full disk, or be on its way up.
    stage.wait_until_it_answers()
    for producer in producers:
        producer.stop.set()
    for producer in producers:
        producer.join()
        if producer.error:
            watch.found["a writer has ended by itself"] = [(producer.error,)]
    result = Result(faults=monkey.counts, missing=monkey.missing, broke_s=time.monotonic() - began)
    if not watch.found:
        witnesses[0].bring_everything(stage.url)
        processes.dismiss("chaos_staff")
        domain.bring_everything(stage.url, asked.seed)
        result.left = watch.count_open()
        stuck_after_s = STUCK_AFTER_S + asked.reconcile_every_s
        _settle(processes, watch, stuck_after_s)
        # The answers that it writes late, after all requests have ended, must end, too.
        processes.dismiss("chaos_generator")
        watch.end(_settle(processes, watch, stuck_after_s))
    result.drained_s = time.monotonic() - began - result.broke_s
    if not watch.found:
        watch.found |= watch.in_all() | audited(stage.url) | accounted(stage.url)
    result.broken = watch.found
    _report(monkey, producers, watch, result, asked.say)
    return result


def _break_things(monkey: Monkey, asked: Run, watch: Watch) -> None:
    began = time.monotonic()
    planned = [(began + asked.seconds * share, fault) for share, fault in asked.plan]
    next_act = began
    try:
        while not watch.found and (
            time.monotonic() < began + asked.seconds or planned or monkey.lasts(StayingStrangers)
        ):
            if planned and time.monotonic() > planned[0][0]:
                monkey.strike(planned.pop(0)[1]())
            if time.monotonic() >= next_act:
                monkey.act()
                next_act = time.monotonic() + monkey.rng.uniform(*ACT_EVERY_S)
            monkey.look_after()
            monkey.processes.keep()
            time.sleep(0.05)
    except KeyboardInterrupt:
        asked.say("stopped early: now all must end")


def _settle(processes: Processes, watch: Watch, stuck_after_s: float) -> dict[str, list[tuple]]:
    """No more harm: everything must end by itself. Returns what is stuck: nothing at all has ended for a while."""
    still_open: dict[str, list[tuple]] = {"the server answers": [()]}
    ended, deadline = -1, time.monotonic() + stuck_after_s
    while still_open and not watch.found and time.monotonic() < deadline:
        began = time.monotonic()
        with suppress(psycopg.OperationalError):  # the server is on its way up
            still_open = watch.what_is_open()
            if (now_ended := watch.count_ended()) > ended:
                ended, deadline = now_ended, time.monotonic() + stuck_after_s
        processes.keep()
        time.sleep(max(0.2, 2 * (time.monotonic() - began)))
    return still_open


def _report(monkey: Monkey, producers: list[Producer], watch: Watch, result: Result, say) -> None:
    """Say what happened, and complete the result."""
    say("done to them: " + ", ".join(f"{count} {name}" for name, count in sorted(monkey.counts.items())))
    if monkey.notes:
        say("besides: " + ", ".join(f"{count} {name}" for name, count in sorted(monkey.notes.items())))
    if monkey.missing:
        say("not done: " + ", ".join(f"{name} (needs {why})" for name, why in sorted(monkey.missing.items())))
    if monkey.most_strangers:
        say(f"strangers had {monkey.most_strangers} of {CONNECTIONS} connections")
    written = sum((producer.counts for producer in producers), start=Counter[str]())
    say("transactions: " + ", ".join(f"{count} {name}" for name, count in sorted(written.items())))
    with monkey.stage.connect() as connection:
        for title, query in REPORT.items():
            say(f"{title}: " + ", ".join(" ".join(map(str, row)) for row in connection.execute(query)))
        [[result.messages]] = connection.execute(REPORT["messages"]).fetchall()
        result.of_domain = domain.counts(connection)
    result.deadlocks = monkey.stage.count_in_logs("deadlock detected")
    result.recoveries = longest_recoveries(monkey.stage.url, monkey.over)
    say(f"deadlocks: {result.deadlocks}")
    if result.recoveries:
        name, longest = max(result.recoveries.items(), key=lambda item: item[1].s)
        meanwhile = f"; meanwhile: {', '.join(sorted(longest.meanwhile))}" if longest.meanwhile else ""
        say(f"longest recovery: {longest.s:.1f} s, after {name}{meanwhile}")
    say(f"invariants asked {watch.looks} times")
    say(f"after the last fault {result.left} jobs were open; they ended in {result.drained_s:.0f} s")


REPORT = {
    "messages": "SELECT (SELECT count(*) FROM chaos_message) + (SELECT count(*) FROM chaos_said)",
    "of the domain": """
        SELECT count(*), CASE WHEN content IS NULL THEN 'broken ' ELSE '' END || kind
          FROM chaos_said GROUP BY 2 ORDER BY 1 DESC""",
    "people": "SELECT count(*), verb FROM chaos_click GROUP BY 2 ORDER BY 1 DESC",
    "requests to the JSON Generator": "SELECT count(*), behaviour FROM chaos_request GROUP BY 2 ORDER BY 1 DESC",
    "jobs": "SELECT count(*), status FROM integration_inbox GROUP BY 2 ORDER BY 2",
    "failed attempts": """
        SELECT count(*), e ->> 'kind' FROM integration_inbox, jsonb_array_elements(errors) AS e GROUP BY 2""",
    "moves": "SELECT count(*), old_status || '→' || new_status FROM chaos_move GROUP BY 2 ORDER BY 1 DESC",
    "found by": """
        SELECT lookback_finds, 'lookback,', reconcile_finds, 'reconcile' FROM poll_watermark WHERE source = 'chaos'""",
}


def _wait_for_end(pid: int) -> None:
    while is_alive(pid):
        time.sleep(0.05)


def _tail(log: Path, lines: int = 60) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
