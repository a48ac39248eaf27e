"""Settings of the project, all from the environment (a `.env` beside manage.py is read first). README lists them."""

import warnings
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import devdb
from config.env import env, list_of_seconds, seconds, switch, whole_number

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
    "decisions",
    "packets",
    "inbox",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
if DEBUG:
    INSTALLED_APPS.append("django_extensions")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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
    DATABASE_URL = devdb.server(BASE_DIR).url()
elif not DATABASE_URL:
    raise ImproperlyConfigured(
        "DATABASE_URL is not set. Set it to a PostgreSQL, such as postgresql://user:password@host:5432/serviceops, "
        "or set DEBUG=on to use the embedded PostgreSQL of development (`make run` does that)."
    )
with warnings.catch_warnings():
    # Its warning about an unknown address quotes the address, which may hold a password.
    warnings.simplefilter("ignore")
    DATABASE: dict[str, Any] = env.db_url_config(DATABASE_URL)
if not DATABASE.get("ENGINE"):
    raise ImproperlyConfigured(
        "DATABASE_URL is no database address; it takes one such as postgresql://user:password@host:5432/serviceops."
    )
if DATABASE["ENGINE"].startswith("django.db.backends.postgresql"):
    # Short transactions only: a statement, a lock wait or an idle transaction that takes longer is an error.
    session_settings = "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"
    options = DATABASE.setdefault("OPTIONS", {})
    options["options"] = " ".join(filter(None, [session_settings, options.get("options")]))
    options.setdefault("application_name", "serviceops")
    options.setdefault("connect_timeout", 10)
DATABASES = {"default": DATABASE}
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

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"

# The inbox engine; durations in seconds. inbox/conf.py says what each does.
INBOX_BATCH_SIZE = whole_number("INBOX_BATCH_SIZE", 200)
INBOX_POLL_INTERVAL = seconds("INBOX_POLL_INTERVAL", 1)
INBOX_MAX_ATTEMPTS = whole_number("INBOX_MAX_ATTEMPTS", 5)
INBOX_BACKOFF = list_of_seconds("INBOX_BACKOFF", (60, 300, 900, 3600))
INBOX_STALE_AFTER = seconds("INBOX_STALE_AFTER", 120)
INBOX_WAIT_LIMIT = seconds("INBOX_WAIT_LIMIT", 604800)
INBOX_LOOKBACK = seconds("INBOX_LOOKBACK", 900)
INBOX_RECONCILE_EVERY = seconds("INBOX_RECONCILE_EVERY", 3600)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        name: {"handlers": ["stderr"], "level": "INFO", "propagate": False}
        for name in ("inbox", "packets", "decisions", "config")
    },
}
