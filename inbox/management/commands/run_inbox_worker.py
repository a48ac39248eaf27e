"""manage.py run_inbox_worker: ingests messages and works on them until SIGTERM or SIGINT."""

from inbox.management.worker_command import WorkerCommand


class Command(WorkerCommand):
    help = (
        "Ingest messages and work on them until SIGTERM or SIGINT. The first signal finishes the current batch and "
        "gives back the rest; the second stops immediately."
    )
    command_name = "run_inbox_worker"
