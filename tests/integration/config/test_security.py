"""Production settings pass Django's own check, pages tell browsers to be careful, and passwords can't be guessed."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.project import manage

PRODUCTION = {
    "SECRET_KEY": "".join(chr(33 + number % 90) for number in range(70)),
    "DATABASE_URL": "postgresql://user@localhost/serviceops",
    "ALLOWED_HOSTS": "serviceops.example",
}
SETTINGS = """
from django.conf import settings; import json
names = ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SECURE_SSL_REDIRECT",
         "SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER", "SESSION_COOKIE_AGE"]
print(json.dumps({name: getattr(settings, name) for name in names}))
"""


def test_the_deployment_check_has_no_warnings():
    code, out, err = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (code, out.strip()) == (0, "System check identified no issues (0 silenced)."), err


def read(**environment):
    code, out, err = manage("shell", "--no-imports", "-c", SETTINGS, **environment)
    assert code == 0, err
    return json.loads(out)


def test_production_is_https_only():
    assert read(**PRODUCTION) == {
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 365 * 86400,
        "SECURE_PROXY_SSL_HEADER": None,
        "SESSION_COOKIE_AGE": 12 * 3600,
    }


def test_development_is_not():
    seen = read(SECRET_KEY="x", DEBUG="on")
    assert not seen["SECURE_SSL_REDIRECT"]
    assert not seen["SESSION_COOKIE_SECURE"]
    assert seen["SECURE_HSTS_SECONDS"] == 0


def test_a_proxy_is_trusted_only_when_asked():
    assert read(**PRODUCTION, TRUST_X_FORWARDED_PROTO="on")["SECURE_PROXY_SSL_HEADER"] == [
        "HTTP_X_FORWARDED_PROTO",
        "https",
    ]


@pytest.mark.django_db
def test_pages_tell_the_browser_to_be_careful(client):
    headers = client.get("/admin/login/").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy  # so it is default-src's, without 'unsafe-inline'
    assert "unsafe-eval" not in policy


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/admin/decisions/packetdecision/?decision_type=%00",
        "/admin/inbox/inboxworker/?state=a%00b",
        "/admin/inbox/sourcepause/a%00/change/",
        "/admin/autocomplete/?term=%00&app_label=decisions&model_name=packetdecision&field_name=packet",
    ],
)
def test_a_nul_in_the_address_is_refused(client, address):
    client.force_login(User.objects.create_superuser("ada"))
    assert client.get(address).status_code == 400


@pytest.mark.django_db
def test_probes_answer_by_http_where_all_else_is_sent_to_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/healthz").status_code == 200
    assert Client().get("/admin/login/").status_code == 301


def log_in(client, password, **extra):
    return client.post("/admin/login/", {"username": "ada", "password": password, "next": "/admin/"}, **extra)


@pytest.mark.django_db
def test_after_five_wrong_passwords_the_right_one_does_not_help(client):
    User.objects.create_superuser("ada", password="right")
    for _ in range(4):
        assert log_in(client, "wrong").status_code == 200
    assert log_in(client, "wrong").status_code == 429
    assert log_in(client, "right").status_code == 429
    # Whoever comes from elsewhere is not locked out with them.
    assert log_in(client, "right", REMOTE_ADDR="192.0.2.7").status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("proxies", "wrong_from", "right_from", "status"),
    [
        # Nobody is trusted: what a sender writes there does not make another of them.
        (0, "192.0.2.1", "192.0.2.2", 429),
        (1, "192.0.2.1", "192.0.2.2", 302),
        (1, "made up, 192.0.2.1", "192.0.2.9, 192.0.2.1", 429),
        (2, "192.0.2.1, 198.51.100.1", "192.0.2.2, 198.51.100.1", 302),
        (2, "192.0.2.1, 198.51.100.1", "192.0.2.1, 198.51.100.2", 429),
        (1, "no address", "no address either", 429),
        (1, "", "", 429),
    ],
)
def test_whoever_comes_through_a_proxy_is_told_apart(client, settings, proxies, wrong_from, right_from, status):
    settings.TRUST_X_FORWARDED_FOR = proxies
    User.objects.create_superuser("ada", password="right")
    for _ in range(5):
        log_in(client, "wrong", HTTP_X_FORWARDED_FOR=wrong_from)
    assert log_in(client, "right", HTTP_X_FORWARDED_FOR=right_from).status_code == status


@pytest.mark.django_db
def test_a_good_login_forgives(client):
    User.objects.create_superuser("ada", password="right")
    for _ in range(3):
        for _ in range(4):
            log_in(client, "wrong")
        assert log_in(client, "right").status_code == 302


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused():
    assert log_in(Client(enforce_csrf_checks=True), "right").status_code == 403
