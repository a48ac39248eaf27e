"""System checks: what the inbox can't work without."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db import connection


@register()
def database_is_postgresql(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse any other database: Django drops skip_locked on SQLite without a word, and two workers take one job."""
    if connection.vendor == "postgresql":
        return []
    engine = settings.DATABASES["default"]["ENGINE"]
    return [
        Error(
            f"The inbox needs PostgreSQL, but DATABASE_URL chooses {engine}.",
            hint="Set DATABASE_URL to postgresql://…, or unset it with DEBUG=on for the embedded PostgreSQL.",
            id="inbox.E001",
        )
    ]
