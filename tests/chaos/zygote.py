"""Forks manage.py commands from a process that has imported everything: a start costs milliseconds, not seconds.

Reads one JSON array per line: the arguments, and whether the child has DATABASE_DIRECT_URL; answers with the pid of the
child that runs that command. Children are real processes with connections of their own; each names itself `chaos <pid>`
to the database.
"""

import json
import os
import signal
import sys


def main(log_path: str) -> None:
    import django

    django.setup()
    # The kernel buries the dead.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            _become(*json.loads(line), log_path)
        print(pid, flush=True)


def _become(arguments: list[str], is_direct: bool, log_path: str) -> None:
    from django.conf import settings
    from django.core.management import execute_from_command_line
    from django.db import connection

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, end in ((null, 0), (log, 1), (log, 2)):
        os.dup2(target, end)
    if not is_direct:
        settings.DATABASE_DIRECT = None
    for address in filter(None, (connection.settings_dict, settings.DATABASE_DIRECT)):
        address["OPTIONS"]["application_name"] = f"chaos {os.getpid()}"
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
