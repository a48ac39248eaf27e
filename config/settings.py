"""Settings, all from the environment (a `.env` beside manage.py is read first); docs/settings.md lists them."""

from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config import process
from config.database_url import database, web_pool
from config.embedded_postgres.server import Server
from config.env import env, list_of_seconds, one_of, seconds, switch, web_address, whole_number
from config.logs import logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent
if switch("READ_DOT_ENV", default=True):
    env.read_env(BASE_DIR / ".env")

DEBUG = switch("DEBUG")
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Set it in the environment, or type `make .env`, which writes one for development."
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    "config",
    "verification",
    "decisions",
    "packets",
    "inbox",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
]
if DEBUG:
    INSTALLED_APPS.append("django_extensions")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.web.probes.Probes",
    "config.web.no_nul.NoNul",
    "config.web.try_again.TryAgain",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last, because it turns a refused login into a response.
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

# Database: DATABASE_URL, or in development the embedded PostgreSQL (ADR 2). Nothing is started here.
DATABASE_URL = env.str("DATABASE_URL", default="")
USES_EMBEDDED_DATABASE = not DATABASE_URL and DEBUG
if USES_EMBEDDED_DATABASE:
    DATABASE_URL = Server.of_project(BASE_DIR).url()
elif not DATABASE_URL:
    raise ImproperlyConfigured(
        "DATABASE_URL is not set. Set it to a PostgreSQL, such as postgresql://user:password@host:5432/serviceops, "
        "or set DEBUG=on to use the embedded PostgreSQL of development (`make run` does that)."
    )
# How many sessions all processes have together, and how many are reserved for the web: inbox/db/connection_budget.py.
DB_CONNECTION_BUDGET = whole_number("DB_CONNECTION_BUDGET", 200)
DB_CONNECTIONS_RESERVED = whole_number("DB_CONNECTIONS_RESERVED", 20)
if DB_CONNECTIONS_RESERVED >= DB_CONNECTION_BUDGET:
    raise ImproperlyConfigured(
        f"DB_CONNECTIONS_RESERVED is {DB_CONNECTIONS_RESERVED}, but it takes less than DB_CONNECTION_BUDGET, "
        f"which is {DB_CONNECTION_BUDGET}."
    )
# Per process of the web; all of them together must fit into the reserve.
DB_WEB_POOL_SIZE = whole_number("DB_WEB_POOL_SIZE", 4)
DB_APPLICATION_NAME = process.NAME
DATABASES = {"default": database("DATABASE_URL", DATABASE_URL, process.kind)}
if process.kind == process.WEB:
    DATABASES["default"]["OPTIONS"]["pool"] = web_pool(DB_WEB_POOL_SIZE)
    # Detects a session that a restart of the server has ended before a request gets it, by one more round trip.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# The address of the server itself, if DATABASE_URL is that of a pooler: for the presence of workers, and LISTEN.
DATABASE_DIRECT_URL = env.str("DATABASE_DIRECT_URL", default="")
DATABASE_DIRECT = database("DATABASE_DIRECT_URL", DATABASE_DIRECT_URL, process.kind) if DATABASE_DIRECT_URL else None
# Read at every wait (config/postgresql). Must exceed statement_timeout, or it ends statements that are only slow.
DB_CLIENT_DEADLINE = seconds("DB_CLIENT_DEADLINE", 40)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# After 5 wrong passwords, that name is locked out from that address for 15 minutes, right password or not.
AUTHENTICATION_BACKENDS = ["config.web.throttle.ThrottleBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "config.web.client_address.client_address"
# The number of our proxies in front; each appends to X-Forwarded-For.
TRUST_X_FORWARDED_FOR = whole_number("TRUST_X_FORWARDED_FOR", 0, minimum=0)
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

# Security headers. Django's own defaults do the rest: no sniffing, no referrer, cookies out of reach of scripts.
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        # For the style attributes of some cells; no other inline style or script is allowed.
        "style-src-attr": ["'unsafe-inline'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
SESSION_COOKIE_AGE = int(seconds("SESSION_AGE", 12 * 3600))
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# A browser that sees the header uses HTTPS only, for a year; so it is off where there is no HTTPS.
HTTPS = switch("HTTPS", default=not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 86400 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# Probes use HTTP, from inside.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
# Only behind a proxy that sets or removes this header itself: a client that can set it decides what is secure.
if switch("TRUST_X_FORWARDED_PROTO"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# A corrected message has up to 1,000,000 characters of up to four bytes each (job_page/forms.py); the rest is for
# the other fields of its form. A longer body is refused before any page could keep its text.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4_100_000

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = env.str("STATIC_ROOT", default="") or BASE_DIR / "staticfiles"
if not DEBUG:
    # `collectstatic` fills STATIC_ROOT; the web process itself serves it. With DEBUG, runserver does.
    MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
    }

# The inbox engine; durations in seconds. docs/settings.md says what each does.
INBOX_BATCH_SIZE = whole_number("INBOX_BATCH_SIZE", 200)
INBOX_POLL_INTERVAL = seconds("INBOX_POLL_INTERVAL", 1)
INBOX_MAX_ATTEMPTS = whole_number("INBOX_MAX_ATTEMPTS", 5)
INBOX_BACKOFF = list_of_seconds("INBOX_BACKOFF", (60, 300, 900, 3600))
INBOX_STALE_AFTER = seconds("INBOX_STALE_AFTER", 120)
INBOX_WAIT_LIMIT = seconds("INBOX_WAIT_LIMIT", 604800)
INBOX_LOOKBACK = seconds("INBOX_LOOKBACK", 900)
INBOX_RECONCILE_EVERY = seconds("INBOX_RECONCILE_EVERY", 3600)

# The JSON Generator, which makes the payloads for CMS. Unset: its source pauses (decisions/generator/client.py).
JSON_GENERATOR_BASE_URL = web_address("JSON_GENERATOR_BASE_URL")
JSON_GENERATOR_CONNECT_TIMEOUT = seconds("JSON_GENERATOR_CONNECT_TIMEOUT", 30)
JSON_GENERATOR_READ_TIMEOUT = seconds("JSON_GENERATOR_READ_TIMEOUT", 180)
JSON_GENERATOR_TOTAL_TIMEOUT = seconds("JSON_GENERATOR_TOTAL_TIMEOUT", 240)

# The token for /metrics from anywhere but loopback.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# Logs on stderr; config/logs.py says what they may contain.
LOG_FORMAT = one_of("LOG_FORMAT", "human", "json")
LOG_LEVEL = one_of("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR")
LOGGING = logging_settings(LOG_FORMAT, LOG_LEVEL)
