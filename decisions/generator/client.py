"""The JSON Generator's client: asks over HTTP for the payload of a decision. Touches no database.

The generator writes the payload into its table itself; its HTTP answer only says whether it will. What it says, and
what becomes of the job:

    2xx                                         done
    408, 425, 429, 5xx                          tried again later
    other 4xx; 3xx, as no redirect is followed  dead, with the answer's text
    no whole answer in time, or a broken one    tried again later: it may have heard us, and knows the key then
    no connection (refused, no such host, no
    answer to the connect, a bad certificate),
    or no JSON_GENERATOR_BASE_URL               not there: the whole source pauses, no attempt is spent

Settings: JSON_GENERATOR_BASE_URL, JSON_GENERATOR_CONNECT_TIMEOUT, JSON_GENERATOR_READ_TIMEOUT (longest silence),
JSON_GENERATOR_TOTAL_TIMEOUT (from the beginning to the end of the answer, however it comes). Looking up the host's name
is bounded by the system's resolver only.
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

from inbox.outcomes import Outcome, dead, done, not_there, retry

PATH = "/api/v1/decision/generate_payload_json"
TRY_AGAIN = frozenset([408, 425, 429])
# Of an answer's body; nobody needs more to understand it.
MOST_BYTES = 64 * 1024
MOST_TEXT = 500


class Request(NamedTuple):
    """What is asked for. The same key means the same request, however often it comes."""

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
    """Shuts the connection when the time is over; a read timeout alone starts anew with each byte that comes."""

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
        """httpx's trace: learn of the connection as soon as there is one, and of the one inside of TLS."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.is_over:
                self._shut()

    def _end(self) -> None:
        self.is_over = True
        self._shut()

    def _shut(self) -> None:
        # Wakes the thread that reads from it. Not its own method, which on TLS would take the session away under it.
        with suppress(OSError):
            if self._socket is not None:
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@cache
def _client() -> httpx.Client:
    """One for all threads. Each call has a connection of its own, as one kept open may be closed while it is used."""
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
        # What is packed could unpack to any size.
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
        # A body without a length ends where the connection does, so this one may look whole.
        raise httpx.ReadTimeout("the deadline is over")
    if "content-encoding" in response.headers:
        return ""
    return body[:MOST_BYTES].decode("utf-8", "replace")


def _no_answer(error: httpx.RequestError, *, is_over: bool) -> Outcome:
    """Texts of ours: the error's own could hold what was sent."""
    if is_over:
        total_s = settings.JSON_GENERATOR_TOTAL_TIMEOUT
        return retry(f"no whole answer within {total_s:g} s (JSON_GENERATOR_TOTAL_TIMEOUT)", "Timeout")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return not_there(f"no connection to {_host()}: {_one_line(str(error)) or type(error).__name__}")
    if isinstance(error, httpx.TimeoutException):
        read_s = settings.JSON_GENERATOR_READ_TIMEOUT
        return retry(f"nothing came for {read_s:g} s (JSON_GENERATOR_READ_TIMEOUT)", "Timeout")
    return retry("the connection broke before the whole answer had come", "ConnectionBroken")


def _host() -> str:
    """Where the generator is, without a password that may be part of the address."""
    parts = urlsplit(settings.JSON_GENERATOR_BASE_URL)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _outcome(status: int, text: str) -> Outcome:
    if 200 <= status < 300:
        return done()
    said = f"the JSON Generator answered {status}"
    if 300 <= status < 400:
        return dead(
            f"{said}, a redirect, and none is followed: JSON_GENERATOR_BASE_URL has to lead to itself", "Refused"
        )
    if 400 <= status < 500 and status not in TRY_AGAIN:
        return dead(said, "Refused", said=_one_line(text) or None)
    return retry(said, f"Http{status}")


def _one_line(text: str) -> str:
    """The beginning of `text` as one line that can be printed."""
    # Some more is looked at, for what is left out of it; not all, as it may be long.
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * MOST_TEXT])
    line = " ".join(printable.split())
    return line if len(line) <= MOST_TEXT else line[: MOST_TEXT - 1] + "…"
