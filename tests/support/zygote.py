"""Forks manage.py commands from a process that has imported everything: a start costs milliseconds, not seconds.

The process (`python -m tests.support.zygote LOG`) reads one JSON object a line and answers with the pid of the child
that runs that command. Children are real processes with connections of their own.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from config.early_stop import end_on_signals
from tests.support.project import PROJECT


class Zygote:
    """Starts commands in `environment`; what they say goes to the file `log`."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.zygote", str(log)],
            cwd=PROJECT,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the test only, which ends this.
            process_group=0,
        )

    def start(self, *arguments: str, name: str, is_direct: bool = True) -> int:
        """A command as a process; returns its pid.

        `name` is its sessions' application_name, in which {pid} is its pid; `is_direct`: it has DATABASE_DIRECT_URL.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = {"arguments": arguments, "name": name, "is_direct": is_direct}
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        """Start no more; children live on."""
        self._process.kill()
        self._process.communicate()


def is_alive(pid: int) -> bool:
    """True while the process runs: the kernel reaps children as soon as they end."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def send_signal(pid: int, number: int) -> None:
    """Send a signal; does nothing if the process has ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def main(log_path: str) -> None:
    import django

    django.setup()
    # The kernel reaps children.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            _become(**json.loads(line), log_path=log_path)
        print(pid, flush=True)


def _become(*, arguments: list[str], name: str, is_direct: bool, log_path: str) -> None:
    from django.conf import settings
    from django.core.management import execute_from_command_line
    from django.db import connection

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # As manage.py does.
    end_on_signals()
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, end in ((null, 0), (log, 1), (log, 2)):
        os.dup2(target, end)
    if not is_direct:
        settings.DATABASE_DIRECT = None
    for address in filter(None, (connection.settings_dict, settings.DATABASE_DIRECT)):
        address["OPTIONS"]["application_name"] = name.format(pid=os.getpid())
    code = 1
    try:
        execute_from_command_line(["manage.py", *arguments])
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        print(f"{os.getpid()} {arguments[0]} ended with {code}", flush=True)
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
