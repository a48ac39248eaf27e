"""Pages tell the browser to be careful."""

from django.test import Client


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


def test_probes_answer_by_http_where_all_else_is_sent_to_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/healthz").status_code == 200
    assert Client().get("/admin/login/").status_code == 301


def log_in(client, password, **extra):
    return client.post("/admin/login/", {"username": "ada", "password": password, "next": "/admin/"}, **extra)


def test_a_form_without_its_token_is_refused():
    assert log_in(Client(enforce_csrf_checks=True), "right").status_code == 403
