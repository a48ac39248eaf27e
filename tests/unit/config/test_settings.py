"""Settings come from the environment; a wrong one is an error that says what to do."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import process
from tests.support.read_settings import read_settings

DEVELOPMENT = {"SECRET_KEY": "x", "DEBUG": "on"}
PRODUCTION = {"SECRET_KEY": "x", "DATABASE_URL": "postgresql://user@localhost/serviceops"}


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SECRET_KEY": "x"}, r"DATABASE_URL is not set\..* or set DEBUG=on"),
        ({"SECRET_KEY": "x", "DATABASE_URL": "foo"}, "DATABASE_URL is no database address"),
        ({"DEBUG": "on"}, "SECRET_KEY is not set"),
    ],
)
def test_a_setting_that_is_missing_or_makes_no_sense_is_a_clear_error(environment, says):
    with pytest.raises(ImproperlyConfigured, match=says):
        read_settings(**environment)


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("INBOX_BATCH_SIZE", "0", "a whole number of at least 1"),
        ("INBOX_BATCH_SIZE", "many", "a whole number of at least 1"),
        ("INBOX_STALE_AFTER", "1e12", "a number of seconds above 0"),
        ("INBOX_POLL_INTERVAL", "-1", "a number of seconds above 0"),
        ("INBOX_BACKOFF", "60,soon", "numbers of seconds above 0 with commas between"),
        ("DB_CLIENT_DEADLINE", "0", "a number of seconds above 0"),
        ("DEBUG", "maybe", "on or off"),
        ("JSON_GENERATOR_BASE_URL", "generator:8080", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_BASE_URL", "ftp://generator", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_BASE_URL", "http://", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_BASE_URL", "http://generator:port", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_BASE_URL", "https://generator?x=1", "an address such as http://generator.example:8080"),
        ("JSON_GENERATOR_TOTAL_TIMEOUT", "0", "a number of seconds above 0"),
    ],
)
def test_a_wrong_value_names_the_setting_and_what_it_takes(name, value, takes):
    with pytest.raises(ImproperlyConfigured) as refused:
        read_settings(**DEVELOPMENT | {name: value})
    assert f"{name} is {value!r}, but it takes {takes}" in str(refused.value)


def test_a_reserve_as_large_as_the_budget_is_refused():
    with pytest.raises(ImproperlyConfigured) as refused:
        read_settings(**DEVELOPMENT, DB_CONNECTION_BUDGET="20")
    reason = "DB_CONNECTIONS_RESERVED is 20, but it takes less than DB_CONNECTION_BUDGET, which is 20"
    assert reason in str(refused.value)


def test_the_address_of_the_generator_may_have_a_slash_at_its_end():
    found = read_settings(**DEVELOPMENT, JSON_GENERATOR_BASE_URL="https://generator.example:8443/base/")
    assert found["JSON_GENERATOR_BASE_URL"] == "https://generator.example:8443/base"


@pytest.mark.parametrize(
    ("query", "keepalives_idle", "connect_timeout"), [("", 10, 10), ("?keepalives_idle=60&connect_timeout=3", 60, 3)]
)
def test_a_dead_network_is_noticed_and_the_address_has_the_last_word(query, keepalives_idle, connect_timeout):
    database = read_settings(SECRET_KEY="x", DATABASE_URL=PRODUCTION["DATABASE_URL"] + query)["DATABASES"]["default"]
    assert database["ENGINE"] == "config.postgresql"
    expected = {
        "keepalives_idle": keepalives_idle,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 25000,
        "connect_timeout": connect_timeout,
    }
    assert database["OPTIONS"] | expected == database["OPTIONS"]


@pytest.mark.parametrize(
    ("command", "name", "has_pool"),
    [("runserver", "web", True), ("run_inbox_worker", "worker", False), ("inbox_status", "command", False)],
)
def test_only_the_web_has_a_pool_and_each_kind_its_name(monkeypatch, command, name, has_pool):
    assert process.kind_of(["manage.py", command]) == name
    monkeypatch.setattr(process, "kind", name)
    url = PRODUCTION["DATABASE_URL"] + "?application_name=mine"
    options = read_settings(SECRET_KEY="x", DATABASE_URL=url)["DATABASES"]["default"]["OPTIONS"]
    assert options["application_name"] == f"serviceops-{name}"
    assert ("pool" in options) is has_pool


def test_production_is_https_only():
    expected = {
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 365 * 86400,
        "SECURE_PROXY_SSL_HEADER": None,
        "SESSION_COOKIE_AGE": 12 * 3600,
    }
    found = read_settings(**PRODUCTION)
    assert {name: found[name] for name in expected} == expected


def test_development_is_not():
    found = read_settings(**DEVELOPMENT)
    assert not found["SECURE_SSL_REDIRECT"]
    assert not found["SESSION_COOKIE_SECURE"]
    assert found["SECURE_HSTS_SECONDS"] == 0


def test_a_proxy_is_trusted_only_when_asked():
    found = read_settings(**PRODUCTION, TRUST_X_FORWARDED_PROTO="on")
    assert found["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
