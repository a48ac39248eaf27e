"""manage.py run_clinical_ops_poller: works on what ClinicalOps sends, and asks the JSON Generator for payloads."""

from django.core.management.base import CommandParser

from inbox.management.base import add_number, positive_int
from inbox.management.worker_command import WorkerCommand
from inbox.worker.calls import CONCURRENCY


class Command(WorkerCommand):
    help = (
        "Work on what ClinicalOps sends, and ask the JSON Generator for payloads, until SIGTERM or SIGINT. The first "
        "signal finishes the batch in hand, waits for the calls that have begun and gives back the rest; the second "
        "stops now."
    )
    command_name = "run_clinical_ops_poller"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        text = "calls to the JSON Generator at the same time"
        add_number(parser, "--concurrency", positive_int, CONCURRENCY, text)
