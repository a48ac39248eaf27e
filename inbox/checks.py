"""System checks of the database."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection

from inbox.db.identities import identities_behind


@register()
def database_is_postgresql(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse any other database: Django silently drops skip_locked on SQLite, and two workers take one job."""
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


@register(Tags.database)
def no_identity_is_behind(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of ids supplied by other programs that a plain INSERT will collide with. Only with `check --database`."""
    if "default" not in (databases or []):
        return []
    return [
        Warning(
            f"A row of {identity.table} has {identity.column} {identity.highest}, but the next one that the database "
            f"gives is {identity.next_value}: a plain INSERT will fail when it gets there.",
            hint="Type: manage.py fix_identities",
            id="inbox.W002",
        )
        for identity in identities_behind()
    ]
