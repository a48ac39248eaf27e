"""A session of a race: a thread with a database connection of its own, which takes one step after another."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from queue import SimpleQueue
from typing import Any

from django.conf import settings
from django.db import connections


def application_name(session: str) -> str:
    """The name of a session at the server, by which it is found, behind a pooler too."""
    return f"{settings.DB_APPLICATION_NAME}-verify-{session}"


# A thread that is still in its step after this is left behind; the process ends soon.
JOIN_S = 10


class State(Enum):
    """The state of a session, as far as its own thread knows. One that runs may be waiting for a lock."""

    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Result:
    """How a step ended: with a value, or with an error."""

    value: Any = None
    error: Exception | None = None

    def get(self) -> Any:
        """The value. Raises the error, if it ended with one."""
        if self.error:
            raise self.error
        return self.value


class Session:
    """The session `name`. `on_change` is called, in its thread, whenever its state has changed."""

    def __init__(self, name: str, on_change: Callable[[], None]) -> None:
        self.name = name
        self.state = State.IDLE
        self.result = Result()
        self.may_be_held = False
        self._on_change = on_change
        self._go = threading.Event()
        self._steps: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def start(self, step: Callable[[], Any]) -> None:
        """Let its thread take the step; it is held at the first gate that it comes to."""
        self.may_be_held = True
        self.state = State.RUNNING
        self._steps.put(step)

    def hold(self) -> None:
        """Called by its own thread at a gate: stop here until `go`."""
        self._go.clear()
        self.may_be_held = False
        self._be(State.HELD)
        self._go.wait()

    def go(self) -> None:
        """Let it go on from the gate, without a further stop in this step."""
        self.state = State.RUNNING
        self._go.set()

    def end(self) -> None:
        """Let its thread end, with its connection, once its step has ended."""
        self._steps.put(None)
        self._go.set()
        self._thread.join(JOIN_S)

    def _be(self, state: State) -> None:
        self.state = state
        self._on_change()

    def _run(self) -> None:
        connection = connections["default"]
        options = connection.settings_dict["OPTIONS"] | {"application_name": application_name(self.name)}
        connection.settings_dict = connection.settings_dict | {"OPTIONS": options}
        try:
            while step := self._steps.get():
                try:
                    self.result = Result(step())
                except Exception as error:
                    self.result = Result(error=error)
                self._be(State.IDLE)
        finally:
            connection.close()
