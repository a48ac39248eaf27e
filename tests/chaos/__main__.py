"""python -m tests.chaos [--seconds S] [--seed N] [--mutant NAME] [--pooler]: exit 0 if all held, 1 if not."""

import argparse
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import Run, mutants, run
from tests.support.pooler import MISSING, find

parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Break things; see that nothing is lost.")
parser.add_argument("--seconds", type=float, default=30, help="how long things are broken (default %(default)g)")
parser.add_argument("--seed", type=int, help="repeats the choices of an earlier run")
parser.add_argument("--mutant", choices=mutants(), help="take this protection away first")
parser.add_argument("--pooler", action="store_true", help="all work through PgBouncer, half of them only through it")
options = parser.parse_args()
if options.pooler and find() is None:
    parser.error(MISSING)
# So that the server and all processes of the run end with it.
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
seed = secrets.randbelow(2**31) if options.seed is None else options.seed
with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
    asked = Run(
        Path(folder),
        seconds=options.seconds,
        seed=seed,
        mutant=options.mutant,
        behind_pooler=options.pooler,
        has_disks=True,
    )
    result = run(asked)
sys.exit(1 if result.broken else 0)
