"""`manage.py devdb start|stop|status|url`: the embedded PostgreSQL of development by hand.

Exit codes: 0 good, 1 failed (for `status`: not running), 2 wrong usage. `url` writes nothing but the address to stdout.
"""

import argparse
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.embedded_postgres.programs import DevDbError
from config.embedded_postgres.server import Server
from inbox.monitoring.terminal import say


class Command(BaseCommand):
    help = "Start, stop or inspect the embedded PostgreSQL of development (in .postgres), or print its address."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status", "url"])

    def handle(self, *, action: str, **options: Any) -> None:
        server = Server.of_project(settings.BASE_DIR)
        try:
            if action == "url":
                say(self.stdout, server.url())
            elif action == "start":
                self.stderr.write("Started." if server.start() else "It was running.", self.style.SUCCESS)
            elif action == "stop":
                self.stderr.write("Stopped." if server.stop() else "It was not running.", self.style.SUCCESS)
            else:
                status = server.status()
                say(self.stdout, "\n".join(f"{name:<7}{value}" for name, value in status.items()))
                if status["state"] != "running":
                    sys.exit(1)
        except DevDbError as error:
            raise CommandError(str(error)) from error
