"""manage.py sql_grants: prints the SQL that creates the roles, each with the least rights it needs."""

import re
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inbox.monitoring.terminal import say

GRANTS = Path(__file__).parents[2] / "postgresql" / "grants.sql"
PREFIX = "serviceops_"


class Command(BaseCommand):
    help = "Print the SQL of roles and grants; it changes nothing by itself. Type: manage.py sql_grants | psql …"
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        text = "prefix of the role names, for a second ServiceOps on one server (default %(default)s)"
        parser.add_argument("--prefix", default=PREFIX, help=text)

    def handle(self, *args: Any, **options: Any) -> None:
        say(self.stdout, grants(options["prefix"]))


def grants(prefix: str = PREFIX) -> str:
    """The SQL, with roles of that prefix. Raises CommandError unless it is a plain lower-case name."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", prefix):
        raise CommandError("--prefix takes lower-case letters, digits and _, such as serviceops_", returncode=2)
    return GRANTS.read_text().replace(PREFIX, prefix)
