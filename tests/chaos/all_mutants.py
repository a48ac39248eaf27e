"""python -m tests.chaos.all_mutants: the chaos test, once without each protection. Exit 0 if every run turned red."""

import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.faults import OF_PROCESSES
from tests.chaos.run import Run, mutants, run

LONGEST_S = 60
TRIES = 3


def main() -> int:
    # So that the server and all processes of a run end with it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    survivors = []
    for mutant in mutants():
        began = time.monotonic()
        broken = next(filter(None, (_run(mutant) for _ in range(TRIES))), None)
        took = f"after {time.monotonic() - began:.0f} s"
        print(f"{mutant}: " + (f"red {took}: {', '.join(broken)}" if broken else f"NOT SEEN {took}"), flush=True)
        if not broken:
            survivors.append(mutant)
    return 1 if survivors else 0


def _run(mutant: str) -> dict[str, list[tuple]]:
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        seed = secrets.randbelow(2**31)
        asked = Run(
            Path(folder), seconds=LONGEST_S, seed=seed, mutant=mutant, kinds=OF_PROCESSES, plan=(), say=_nothing
        )
        return run(asked).broken


def _nothing(line: str) -> None:
    """The result says all."""


if __name__ == "__main__":
    sys.exit(main())
