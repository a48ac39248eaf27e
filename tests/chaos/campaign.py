"""The campaign: slices of the chaos test with all kinds of faults, whose results are kept and summed.

    python -m tests.chaos.campaign [--seconds S] [--slices N] [--seed N]
    python -m tests.chaos.campaign --report

A slice is one run on servers of its own. Its result is one line of tests/output/campaign.jsonl. Ctrl-C ends a slice
early: it calms down, is checked and counts; another call goes on. `--report` moves these lines to
docs/reliability-runs.jsonl and writes the table of docs/reliability.md.
"""

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.account import harm
from tests.chaos.report import write_report
from tests.chaos.run import Result, Run, run
from tests.support import pooler
from tests.support.project import PROJECT

RESULTS = PROJECT / "tests" / "output" / "campaign.jsonl"
# Every third slice works through PgBouncer.
POOLER_EVERY = 3
# After a shift some invariants, which need to know how long something took, are not asked.
CLOCK_EVERY = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.campaign", description="Break all, in slices; sum up.")
    parser.add_argument(
        "--seconds", type=float, default=300, help="how long a slice breaks things (default %(default)g)"
    )
    parser.add_argument("--slices", type=int, default=1, help="how many, one after the other (default %(default)d)")
    parser.add_argument("--seed", type=int, help="repeats the choices of a slice; the next ones have the next numbers")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md, and break nothing")
    options = parser.parse_args()
    if options.report:
        write_report(RESULTS)
        return 0
    # So that the servers and all processes of a slice end with it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    return max(_slice(seed + number, options.seconds) for number in range(options.slices))


def _slice(seed: int, seconds: float) -> int:
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    load = os.getloadavg()[0]
    behind_pooler = seed % POOLER_EVERY == 0 and pooler.find() is not None
    asked = Run(
        folder,
        seconds=seconds,
        seed=seed,
        behind_pooler=behind_pooler,
        has_disks=True,
        has_clocks=seed % CLOCK_EVERY == 0,
        keeps_evidence=True,
        plan=(),
    )
    try:
        result = run(asked)
    except Exception:
        # Such as a server that has died of a fault and could not be started. The other slices go on.
        traceback.print_exc()
        print(f"This slice (seed {seed}) could not be carried to its end, and does not count. Its folder: {folder}")
        return 1
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(line_of(asked, result, load)) + "\n")
    if result.broken:
        print(f"Harm was found. Logs and a dump of the database: {folder}")
        print(f"To repeat: make campaign SECONDS={seconds:g} SEED={seed}")
        return 1
    shutil.rmtree(folder)
    return 0


def line_of(asked: Run, result: Result, load: float) -> dict:
    """The line that is kept of a slice; durations in seconds."""
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "seed": asked.seed,
        "asked_s": asked.seconds,
        "broke_s": round(result.broke_s),
        "left": result.left,
        "drained_s": round(result.drained_s),
        "behind_pooler": asked.behind_pooler,
        "load_before": round(load, 1),
        "messages": result.messages,
        "of_domain": result.of_domain,
        "faults": dict(sorted(result.faults.items())),
        "missing": result.missing,
        "recovery_s": {name: round(one.s, 2) for name, one in sorted(result.recoveries.items())},
        "deadlocks": result.deadlocks,
        "harm": harm(result.broken),
        "broken": sorted(result.broken),
    }


if __name__ == "__main__":
    sys.exit(main())
