"""Probes and metrics answer only what they may, without a database where it is away."""

import pytest
from django.db import OperationalError, connection

from config.web import probes

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


def break_the_database(monkeypatch):
    def refuse():
        raise OperationalError("no route to the database")

    monkeypatch.setattr(connection, "ensure_connection", refuse)
    monkeypatch.setattr(probes, "metrics_text", refuse)


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_no_database_is_said(client, monkeypatch, path):
    break_the_database(monkeypatch)
    response = client.get(path)
    assert (response.status_code, response.content) == (503, b"database: no route to the database\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nothing_but_reading(client, path):
    assert client.post(path).status_code == 405


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "Via",
        "X-Forwarded-Host",
        # The one that docs/operations.md asks of every proxy.
        "X-Forwarded-Proto",
    ],
)
def test_what_a_proxy_passes_on_does_not_come_from_loopback(client, header):
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


def test_without_a_token_none_is_right(client, settings):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"authorization": "Bearer "}, **ELSEWHERE).status_code == 403
