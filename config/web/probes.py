"""Health and metrics: /healthz, /readyz and /metrics. A middleware, as probes come by address, without a host name.

/healthz says that this process answers, without a database. /readyz says that the system works: the database, its
tables, a worker. Each is 200 or 503 with a text that names the problem. /metrics is for loopback, or needs a token.
Setting: METRICS_TOKEN.
"""

from collections.abc import Callable
from ipaddress import ip_address
from secrets import compare_digest

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from config.web.metrics import CONTENT_TYPE, metrics_text
from inbox.db.storable import error_text
from inbox.monitoring.workers import find_workers

# With any header that begins like this, a proxy passed the request on, so its address is not that of the client.
PASSED_ON = ("HTTP_FORWARDED", "HTTP_X_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")


class Probes:
    """Answers the three paths, and leaves all others alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.answers = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.answers.get(request.path_info)
        if answer is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return _text(405, "only GET and HEAD", Allow="GET, HEAD")
        return answer(request)


def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return _text(200, "alive")


def readyz(request: HttpRequest) -> HttpResponse:
    """Needs a database, no migration to be applied, and a worker that is alive; 503 names the first that is missing."""
    try:
        connection.ensure_connection()
        wrong = _find_problem()
    except Error as error:
        wrong = f"database: {error_text(error)}"
    return _text(503, wrong) if wrong else _text(200, "ready")


def _find_problem() -> str | None:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        first = missing[0][0]
        return f"migrations: {len(missing)} not applied, the first is {first.app_label}.{first.name}"
    if not find_workers().alive():
        return "workers: none is running; start one: manage.py run_inbox_worker"
    return None


def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers, in Prometheus' text format."""
    if not (_is_loopback(request) or _has_token(request)):
        return _text(403, "only from loopback, or with `Authorization: Bearer` and METRICS_TOKEN")
    try:
        return HttpResponse(metrics_text(), content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})
    except Error as error:
        return _text(503, f"database: {error_text(error)}")


def _is_loopback(request: HttpRequest) -> bool:
    if any(name.startswith(PASSED_ON) for name in request.META):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _has_token(request: HttpRequest) -> bool:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = settings.METRICS_TOKEN
    return bool(expected) and kind.lower() == "bearer" and compare_digest(token.strip().encode(), expected.encode())


def _text(status: int, text: str, **headers: str) -> HttpResponse:
    headers["Cache-Control"] = "no-store"
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)
