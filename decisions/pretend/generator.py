"""A pretend JSON Generator: a real HTTP server on loopback that takes each idempotency key once.

It can misbehave, request by request (behaviour.py). `GET /counts` returns how many requests it took.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from decisions.pretend.behaviour import Behaviour
from decisions.pretend.rows import Rows

PATH = "/api/v1/decision/generate_payload_json"
LONGEST_WAIT_S = 600.0
REDIRECT_TO = "http://elsewhere.invalid/"


class Generator:
    """Serves inside `with`. `script` says what to do with the first requests, `otherwise` with all others."""

    def __init__(
        self,
        *,
        port: int = 0,
        script: Iterable[Behaviour | int] = (),
        otherwise: Callable[[], Behaviour | int] = lambda: Behaviour.ACCEPT,
        late_s: float = 1.0,
        drip_every_s: float = 1.0,
        rows: Callable[[], Any] = Rows,
    ) -> None:
        self.late_s = late_s
        self.drip_every_s = drip_every_s
        self.requests: list[tuple[str, Any]] = []
        self.keys: Counter[str] = Counter()
        self.most_at_once = 0
        self._at_once = 0
        self._script = list(script)
        self._otherwise = otherwise
        self._open_rows = rows
        self._changed = threading.Condition()
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._rows = self._open_rows()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._rows.close()

    def release(self) -> None:
        """End the requests that hang or drip."""
        self.released.set()

    def wait_for_requests(self, count: int, timeout_s: float = 30) -> None:
        """Wait until that many came in all. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout_s):
                raise TimeoutError(f"{len(self.requests)} requests came, not {count}")

    def counts(self) -> dict[str, int]:
        """How many requests came, how many keys were taken, and how often a taken key came again."""
        with self._changed:
            return {
                "requests": len(self.requests),
                "accepted": len(self.keys),
                "repeated": self.keys.total() - len(self.keys),
                "most_at_once": self.most_at_once,
            }

    @contextmanager
    def handling(self, key: str, body: Any) -> Iterator[Behaviour | int]:
        """Count a request as long as it is handled; gives what to do with it."""
        with self._changed:
            self.requests.append((key, body))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._changed.notify_all()
            behaviour = self._script.pop(0) if self._script else self._otherwise()
        try:
            yield behaviour
        finally:
            with self._changed:
                self._at_once -= 1

    def accept(self, key: str, tracking_id: str, rows: int = 1) -> None:
        """Take the key; write the rows if it is new."""
        with self._changed:
            self.keys[key] += 1
            is_new = self.keys[key] == 1
        for number in range(rows if is_new else 0):
            self._rows.write(tracking_id, in_a_new_row=number > 0)


class _Server(ThreadingHTTPServer):
    # The end of the server waits for all requests; release() ends those that hang.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], generator: Generator) -> None:
        self.generator = generator
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has left is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/counts":
            self._answer(200, self.server.generator.counts())
        else:
            self._answer(404, {"error": "GET /counts, or POST to the path"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"] or ""
        if self.path != PATH:
            self._answer(404, {"error": "unknown path"})
            return
        with self.server.generator.handling(key, body) as behaviour:
            self._behave(behaviour, key, str(body["decision_tracking_id"]))

    def _behave(self, behaviour: Behaviour | int, key: str, tracking_id: str) -> None:
        generator = self.server.generator
        match behaviour:
            case Behaviour.ACCEPT | Behaviour.LATE | Behaviour.TWICE:
                generator.accept(key, tracking_id, rows=1 + (behaviour is Behaviour.TWICE))
                if behaviour is Behaviour.LATE:
                    generator.released.wait(generator.late_s)
                self._answer(200, {"status": "accepted"})
            case Behaviour.DROP:
                generator.accept(key, tracking_id)
                self.close_connection = True
            case Behaviour.SILENT_DROP:
                self.close_connection = True
            case Behaviour.HANG:
                generator.released.wait(LONGEST_WAIT_S)
                self.close_connection = True
            case Behaviour.DRIP | Behaviour.DRIP_HEAD | Behaviour.FLOOD:
                self._stream(behaviour)
            case Behaviour.REDIRECT:
                self._answer(307, {}, Location=REDIRECT_TO)
            case Behaviour.FAIL:
                self._answer(503, {"error": "busy"})
            case Behaviour.REJECT:
                self._answer(422, {"error": "no such decision"})
            case int():
                self._answer(behaviour, {"error": f"told to answer {behaviour}"})

    def _stream(self, behaviour: Behaviour) -> None:
        """Send a body or a header that does not end before release()."""
        generator, is_flood = self.server.generator, behaviour is Behaviour.FLOOD
        if behaviour is Behaviour.DRIP_HEAD:
            self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Drip: ")
        else:
            self.send_response(400 if is_flood else 200)
            self.end_headers()
        with suppress(OSError):
            while not generator.released.wait(0 if is_flood else generator.drip_every_s):
                self.wfile.write(b"too much " * 10_000 if is_flood else b".")

    def _answer(self, status: int, body: Any, **headers: str) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps no log; GET /counts says what was done."""
