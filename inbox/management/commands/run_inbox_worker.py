"""manage.py run_inbox_worker: takes messages in and works on them until SIGTERM or SIGINT."""

from inbox.management.worker_command import WorkerCommand


class Command(WorkerCommand):
    help = (
        "Take messages in and work on them until SIGTERM or SIGINT. The first signal finishes the batch in hand and "
        "gives back the rest; the second stops now."
    )
    command_name = "run_inbox_worker"
