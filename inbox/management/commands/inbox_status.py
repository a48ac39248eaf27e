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
        jobs, open_groups, dead = count_by_status(), remaining(), dead_by_reason()
        if options["json"]:
            status = {
                "jobs": jobs,
                "open": [asdict(group) for group in open_groups],
                "dead": [{"reason": reason, "count": count} for reason, count in dead],
            }
            self.stdout.write(json.dumps(status))
            return
        self._print("jobs", [(status, count) for status, count in jobs.items()])
        self._print("open", [(f"{group.status}: {group.why}", group.count) for group in open_groups])
        self._print("dead by reason", dead)
        if not jobs:
            self.stdout.write("The inbox is empty.")

    def _print(self, title: str, rows: list[tuple[str, int]]) -> None:
        if rows:
            self.stdout.write(f"{title}:")
        for text, count in rows:
            self.stdout.write(f"{count:>12,}  {text}")
