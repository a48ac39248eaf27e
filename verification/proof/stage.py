"""The stage of a race: it runs steps in sessions, and holds each at the critical place until all others stand still.

A session stands still when its step has ended, when it is held at a gate, or when it waits for a lock. So a race
happens in every round, whatever the machine is doing: nothing here depends on time, as in PostgreSQL's own isolation
tester. Failure mode: a step that neither ends nor waits for a lock within DEADLINE_S raises NotStill.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import psycopg
from django.db import connections

from verification.patches import patched
from verification.proof.session import Result, Session, State, application_name

DEADLINE_S = 60.0
# Nothing tells that a session has begun to wait for a lock, so the server is asked this often.
ASK_EVERY_S = 0.002

# Autovacuum gives way by itself, so a session that waits for it does not stand still.
SELECT_WAITING = """
SELECT application_name, substr(query, 1, 40) FROM pg_stat_activity AS waiting
 WHERE datname = current_database() AND application_name = ANY(%s)
   AND EXISTS (SELECT FROM pg_stat_activity
                WHERE pid = ANY(pg_blocking_pids(waiting.pid)) AND backend_type = 'client backend')
"""
KILL_SESSION = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = %s
"""
IS_THERE = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY(%s))"


class NotStill(Exception):
    """A session neither ended its step nor waited for a lock."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of what a round saw: when, in ms since it began, in which session, and what happened."""

    at_ms: float
    session: str
    what: str


class Stage:
    """Runs the sessions of one row. Used by one thread, which is none of them."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._sessions: dict[str, Session] = {}
        self._changed = threading.Condition()
        self._began = time.monotonic()
        self._watcher = self._watch()

    @staticmethod
    def _watch() -> psycopg.Connection:
        wrapper = connections["default"].copy()
        raw: psycopg.Connection = wrapper.get_new_connection(wrapper.get_connection_params())
        raw.autocommit = True
        return raw

    def begin_round(self) -> None:
        """Forget what the round before saw."""
        self.moments = []
        self._began = time.monotonic()

    def close(self) -> None:
        """End all sessions, those that are stuck in their step too."""
        stuck = [session for session in self._sessions.values() if session.state is not State.IDLE]
        for session in stuck:
            self.kill(session.name)
        for session in self._sessions.values():
            session.end()
        self._watcher.close()

    def start(self, name: str, step: Callable[[], Any], what: str = "") -> None:
        """Have the session `name` take a step; returns once all sessions stand still."""
        self._start(name, step, what)
        self.settle()

    def do(self, name: str, step: Callable[[], Any], what: str = "") -> Any:
        """Have the session `name` take a step to its end; returns its value. Raises the step's error, and NotStill."""
        self.start(name, step, what)
        return self.end(name).get()

    def at_once(self, steps: Mapping[str, Callable[[], Any]]) -> dict[str, Result]:
        """Let sessions take their steps at the same time: those that are held go on once all stand still.

        Returns how each step ended, by session.
        """
        for name, step in steps.items():
            self._start(name, step)
        self.settle()
        # Those that wait for a lock now must not be held when they get it.
        for name in steps:
            self._sessions[name].may_be_held = False
        for name in steps:
            if self._sessions[name].state is State.HELD:
                self._go(name)
        return {name: self.end(name) for name in steps}

    def go(self, name: str) -> None:
        """Let a session that is held go on; returns once all sessions stand still.

        If its step has ended before it came to a gate, raises the step's error, or else NotStill.
        """
        session = self._sessions[name]
        if session.state is State.IDLE:
            session.result.get()
            raise NotStill(f"session {name} ended its step before it came to a gate")
        self._go(name)
        self.settle()

    def end(self, name: str) -> Result:
        """Wait until the step of this session has ended, and return how. Raises NotStill."""
        session = self._sessions[name]
        with self._changed:
            if not self._changed.wait_for(lambda: session.state is State.IDLE, DEADLINE_S):
                raise NotStill(f"session {name} did not end its step within {DEADLINE_S:g} s")
        return session.result

    def is_waiting(self, name: str) -> bool:
        """True if the session waits for a lock."""
        return name in self._waiting([self._sessions[name]])

    def kill(self, name: str) -> None:
        """End the session at the server, as when its process is killed. Returns once it is gone. Raises NotStill."""
        self._note(name, "is killed")
        killed = [pid for pid, _ in self._watcher.execute(KILL_SESSION, [application_name(name)]).fetchall()]
        deadline = time.monotonic() + DEADLINE_S
        while self._watcher.execute(IS_THERE, [killed]).fetchall() == [(True,)]:
            if time.monotonic() > deadline:
                raise NotStill(f"session {name} was killed, and is still there")
            time.sleep(ASK_EVERY_S)

    @contextmanager
    def hold(self, target: str, *, after: bool = False, only: tuple[str, ...] = ()) -> Iterator[None]:
        """A gate: sessions (or `only` these) are held when they call `target`, or `after` it, once per step.

        `target` is such as "inbox.engine.claim:_mark"; it must be looked up by that name where it is called.
        """
        place = target.partition(":")[2]

        def gate(plain: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(plain)
            def held(*args: Any, **kwargs: Any) -> Any:
                if not after:
                    self._arrive(place, "before", only)
                value = plain(*args, **kwargs)
                if after:
                    self._arrive(place, "after", only)
                return value

            return held

        with patched(target, gate):
            yield

    def settle(self) -> None:
        """Wait until all sessions stand still. Raises NotStill."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            with self._changed:
                running = [session for session in self._sessions.values() if session.state is State.RUNNING]
            if not running:
                return
            waiting = self._waiting(running)
            if len(waiting) == len(running) and all(session.state is State.RUNNING for session in running):
                for name, query in waiting.items():
                    self._note(name, f"waits for a lock: {' '.join(query.split())} …")
                return
            if time.monotonic() > deadline:
                raise NotStill("these sessions run on: " + ", ".join(sorted(session.name for session in running)))
            with self._changed:
                self._changed.wait(ASK_EVERY_S)

    def _waiting(self, sessions: list[Session]) -> dict[str, str]:
        names = {application_name(session.name): session.name for session in sessions}
        rows = self._watcher.execute(SELECT_WAITING, [list(names)]).fetchall()
        return {names[application]: query for application, query in rows}

    def _start(self, name: str, step: Callable[[], Any], what: str = "") -> None:
        if name not in self._sessions:
            self._sessions[name] = Session(name, self._tell)
        self._note(name, what or _name_of(step))
        self._sessions[name].start(partial(self._take, name, step))

    def _take(self, name: str, step: Callable[[], Any]) -> Any:
        try:
            value = step()
        except Exception as error:
            first_line = (str(error).strip().splitlines() or [""])[0]
            self._note(name, f"{type(error).__name__}: {first_line}")
            raise
        self._note(name, "ended")
        return value

    def _go(self, name: str) -> None:
        self._note(name, "goes on")
        self._sessions[name].go()

    def _arrive(self, place: str, when: str, only: tuple[str, ...]) -> None:
        session = self._sessions.get(threading.current_thread().name)
        if session and session.may_be_held and (not only or session.name in only):
            self._note(session.name, f"held {when} {place}")
            session.hold()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _note(self, name: str, what: str) -> None:
        self.moments.append(Moment(round((time.monotonic() - self._began) * 1000, 1), name, what))


def _name_of(step: Callable[..., Any]) -> str:
    plain = step.func if isinstance(step, partial) else step
    return getattr(plain, "__qualname__", "step").replace("<locals>.", "").replace("<lambda>", "step")
