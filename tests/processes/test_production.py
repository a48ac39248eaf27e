"""Production settings pass Django's own check and are HTTPS only."""

import json

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
