"""The kind of this process. Its database sessions carry the name, so that other processes can count them by kind."""

from collections.abc import Sequence

NAME = "serviceops"
WEB = "web"
COMMAND = "command"
KINDS = {
    "runserver": WEB,
    "run_inbox_worker": "worker",
    "run_clinical_ops_poller": "poller",
    "reclaim_stuck_jobs": "reclaimer",
}

BACKGROUND = {"worker", "poller", "reclaimer"}

# One of KINDS' values, or COMMAND. Set before the settings are read, by manage.py and wsgi.py.
kind = COMMAND


def is_background() -> bool:
    """True for a process that runs all day and by itself."""
    return kind in BACKGROUND


def kind_of(argv: Sequence[str]) -> str:
    """The kind of a manage.py command line."""
    return KINDS.get(argv[1] if len(argv) > 1 else "", COMMAND)
