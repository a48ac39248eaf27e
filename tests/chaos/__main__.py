"""python -m tests.chaos [--seconds S] [--seed N] [--mutant NAME]: exit 0 if all held, 1 if something broke."""

import argparse
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.mutants import MUTANTS
from tests.chaos.run import run

parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Break things; see that nothing is lost.")
parser.add_argument("--seconds", type=float, default=30, help="how long things are broken (default %(default)g)")
parser.add_argument("--seed", type=int, help="repeats the choices of an earlier run")
parser.add_argument("--mutant", choices=MUTANTS, help="take this protection away first")
options = parser.parse_args()
# So that the server and all processes of the run end with it.
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
seed = secrets.randbelow(2**31) if options.seed is None else options.seed
with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
    broken = run(Path(folder), seconds=options.seconds, seed=seed, mutant=options.mutant)
sys.exit(1 if broken else 0)
