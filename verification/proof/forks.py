"""python -m verification.proof.forks: imports everything once, and forks a worker process for each line of stdin.

So each costs milliseconds. It ends when its stdin closes, and its forks end with it.
"""

import json
import os
import signal
import sys
from contextlib import ExitStack
from typing import Any


def main() -> None:
    """Fork a worker process for each line of stdin, and pass on what it says."""
    import django

    django.setup()
    # Once, and not in each fork.
    import verification.rows  # noqa: F401

    # Nobody waits for a fork; without this, those that were killed would stay as zombies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    life, life_here = os.pipe()
    for line in sys.stdin:
        listen, speak = os.pipe()
        if not os.fork():
            os.close(life_here)
            os.close(listen)
            try:
                _be_a_worker(json.loads(line), speak, life)
            finally:
                os._exit(1)
        os.close(speak)
        with open(listen) as answer:
            sys.stdout.write(answer.readline() or '{"error": "it ended"}\n')
        sys.stdout.flush()


def _be_a_worker(wanted: dict[str, Any], speak: int, life: int) -> None:
    from inbox.engine.claim import claim
    from inbox.worker.presence import Presence, default_worker_id
    from verification.protections.presence import WITHOUT_IN_PROCESSES
    from verification.scenes import SOURCE

    with ExitStack() as taken_out:
        for name in wanted["without"]:
            taken_out.enter_context(WITHOUT_IN_PROCESSES[name]())
        try:
            worker_id = default_worker_id()
            presence = Presence(worker_id, "verify_locks")
            claimed = claim(SOURCE, worker_id=worker_id, limit=wanted["limit"], presence_id=presence.presence_id)
            answer = {"pid": os.getpid(), "id": presence.id, "inbox_ids": claimed.all_inbox_ids}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
    os.write(speak, json.dumps(answer).encode() + b"\n")
    os.close(speak)
    # Ends when the process that forked this one has ended.
    os.read(life, 1)


if __name__ == "__main__":
    main()
