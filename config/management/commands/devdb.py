"""`manage.py devdb start|stop|status|url`: the embedded PostgreSQL of development by hand.

Exit codes: 0 good, 1 failed (for `status`: not running), 2 wrong usage. `url` writes nothing but the address to stdout.
"""

import argparse
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.embedded_postgres import server as devdb


class Command(BaseCommand):
    help = "Start, stop or look at the embedded PostgreSQL of development (in .postgres), or write its address."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status", "url"])

    def handle(self, *, action: str, **options: Any) -> None:
        server = devdb.server(settings.BASE_DIR)
        try:
            if action == "url":
                self.stdout.write(server.url())
            elif action == "start":
                self.stderr.write("Started." if server.start() else "It was running.", self.style.SUCCESS)
            elif action == "stop":
                self.stderr.write("Stopped." if server.stop() else "It was not running.", self.style.SUCCESS)
            else:
                self._status(server)
        except devdb.DevDbError as error:
            raise CommandError(str(error)) from error

    def _status(self, server: devdb.Server) -> None:
        status = server.status()
        self.stdout.write(f"state  {'running' if status.running else 'not running'}")
        self.stdout.write(f"pid    {status.pid or '-'}")
        self.stdout.write(f"url    {status.url}")
        self.stdout.write(f"log    {status.log}")
        if not status.running:
            sys.exit(1)
