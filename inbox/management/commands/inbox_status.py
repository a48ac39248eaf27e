"""manage.py inbox_status: what the inbox holds, and why anything stays or died."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from inbox.management.base import DatabaseCommand
from inbox.status import count_by_status, dead_by_reason, remaining


class Command(DatabaseCommand):
    help = "Show how many jobs have each status, what the open ones wait for, and why jobs died."
    database_wait_s = 5.0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        status = {
            "jobs": count_by_status(),
            "open": [asdict(group) for group in remaining()],
            "dead": [{"reason": reason, "count": count} for reason, count in dead_by_reason()],
        }
        if options["json"]:
            self.stdout.write(json.dumps(status))
            return
        for name, count in status["jobs"].items():
            self.stdout.write(f"{count:>12,}  {name}")
        if not status["jobs"]:
            self.stdout.write("The inbox is empty.")
        for title, rows in (("open", status["open"]), ("dead by reason", status["dead"])):
            if rows:
                self.stdout.write(f"\n{title}:")
            for row in rows:
                text = row["reason"] if title != "open" else f"{row['status']}: {row['why']}"
                self.stdout.write(f"{row['count']:>12,}  {text}"[:200])
