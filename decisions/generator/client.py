"""The JSON Generator's client: asks over HTTP for the payload of a decision. Touches no database.

The generator writes the payload into its table itself; its HTTP answer only says whether it will. Each answer decides
what becomes of the job:

    2xx                                         done
    408, 425, 429, 5xx                          retried later
    other 4xx; 3xx, as no redirect is followed  dead, with the answer's text
    no complete answer in time, or a broken one retried later: a request that did arrive is known by its key
    no connection (refused, unknown host, no
    answer to the connect, a bad certificate),
    or no JSON_GENERATOR_BASE_URL               unavailable: the whole source pauses, no attempt is spent

Settings: JSON_GENERATOR_BASE_URL, JSON_GENERATOR_CONNECT_TIMEOUT, JSON_GENERATOR_READ_TIMEOUT (longest silence),
JSON_GENERATOR_TOTAL_TIMEOUT (from the start of the request to the end of the answer). Only the system's resolver limits
how long the look-up of the host takes.
"""

import socket
import time
from contextlib import suppress
from functools import cache
from threading import Timer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from django.conf import settings

from inbox.api import Outcome, dead, done, not_there, retry

PATH = "/api/v1/decision/generate_payload_json"
TRY_AGAIN = frozenset([408, 425, 429])
# How much of an answer is read, in bytes, and kept, in characters.
MOST_BYTES = 64 * 1024
MOST_TEXT = 500


class Request(NamedTuple):
    """The case whose payload is requested. The same key means the same request, however often it is sent."""

    decision_tracking_id: UUID
    idempotency_key: str


def ask(request: Request) -> Outcome:
    """Send the request once and wait for the answer, at most JSON_GENERATOR_TOTAL_TIMEOUT seconds."""
    if not settings.JSON_GENERATOR_BASE_URL:
        return not_there("JSON_GENERATOR_BASE_URL is not set")
    deadline = Deadline(settings.JSON_GENERATOR_TOTAL_TIMEOUT)
    try:
        with deadline:
            status, text = _post(request, deadline)
    except httpx.RequestError as error:
        return _no_answer(error, is_over=deadline.is_over)
    return _outcome(status, text)


class Deadline:
    """Shuts the connection when the time is over; a read timeout alone restarts with each byte received."""

    def __init__(self, total_s: float) -> None:
        self.ends_at = time.monotonic() + total_s
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer = Timer(total_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """For httpx's trace: keep the connection as soon as it is open, then the TLS one inside it."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.is_over:
                self._shut()

    def _end(self) -> None:
        self.is_over = True
        self._shut()

    def _shut(self) -> None:
        # Wakes the thread that reads from it. The method of a TLS socket would end the session under that thread.
        with suppress(OSError):
            if self._socket is not None:
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@cache
def _client() -> httpx.Client:
    """Shared by all threads. Each call opens a connection, as one kept open may be closed while it is used."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.Client(limits=limits, follow_redirects=False, trust_env=False)


def _post(request: Request, deadline: Deadline) -> tuple[int, str]:
    """The status of the answer, and the beginning of its text. Raises httpx.RequestError."""
    total_s = settings.JSON_GENERATOR_TOTAL_TIMEOUT
    connect_s = min(settings.JSON_GENERATOR_CONNECT_TIMEOUT, total_s)
    read_s = min(settings.JSON_GENERATOR_READ_TIMEOUT, total_s)
    with _client().stream(
        "POST",
        settings.JSON_GENERATOR_BASE_URL + PATH,
        json={"decision_tracking_id": str(request.decision_tracking_id)},
        # A compressed answer could expand to any size.
        headers={"Idempotency-Key": request.idempotency_key, "Accept-Encoding": "identity"},
        timeout=httpx.Timeout(read_s, connect=connect_s),
        extensions={"trace": deadline.watch},
    ) as response:
        return response.status_code, _begin_of(response, deadline)


def _begin_of(response: httpx.Response, deadline: Deadline) -> str:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) >= MOST_BYTES:
            break
    if deadline.is_over:
        # A body without a length ends with the connection, so this one may look complete.
        raise httpx.ReadTimeout("the deadline is over")
    if "content-encoding" in response.headers:
        return ""
    return body[:MOST_BYTES].decode("utf-8", "replace")


def _no_answer(error: httpx.RequestError, *, is_over: bool) -> Outcome:
    """With texts of our own, as the error's text could quote what was sent."""
    if is_over:
        total_s = settings.JSON_GENERATOR_TOTAL_TIMEOUT
        return retry(f"no complete answer within {total_s:g} s (JSON_GENERATOR_TOTAL_TIMEOUT)", "Timeout")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return not_there(f"no connection to {_host()}: {_one_line(str(error)) or type(error).__name__}")
    if isinstance(error, httpx.TimeoutException):
        read_s = settings.JSON_GENERATOR_READ_TIMEOUT
        return retry(f"nothing received for {read_s:g} s (JSON_GENERATOR_READ_TIMEOUT)", "Timeout")
    return retry("the connection broke before the answer was complete", "ConnectionBroken")


def _host() -> str:
    """The generator's host, without a password that its address may hold."""
    parts = urlsplit(settings.JSON_GENERATOR_BASE_URL)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _outcome(status: int, text: str) -> Outcome:
    if 200 <= status < 300:
        return done()
    said = f"the JSON Generator answered {status}"
    if 300 <= status < 400:
        return dead(f"{said}, a redirect, which is not followed: is JSON_GENERATOR_BASE_URL right?", "Refused")
    if 400 <= status < 500 and status not in TRY_AGAIN:
        return dead(said, "Refused", said=_one_line(text) or None)
    return retry(said, f"Http{status}")


def _one_line(text: str) -> str:
    """The beginning of `text` as one printable line."""
    # Reads some more than is kept, as parts of it are dropped; not all, as it may be long.
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * MOST_TEXT])
    line = " ".join(printable.split())
    return line if len(line) <= MOST_TEXT else line[: MOST_TEXT - 1] + "…"
