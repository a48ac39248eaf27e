"""Starts the process that proves, and reads what it says line by line.

Failure modes: that process ends before its time or is killed (ProofsBrokeOff, with the end of what it wrote to stderr);
this one is killed (that process ends by itself, as its stdin closes).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from django.conf import settings

from verification.proof.scratch import Scratch
from verification.results import ProofResult

ENDS_WITHIN_S = 5
LINES_OF_STDERR = 15


class ProofsBrokeOff(Exception):
    """The process that proves ended too soon; the text has the end of what it wrote to stderr."""


def prove_on(
    scratch: Scratch,
    keys: Sequence[str],
    *,
    rounds: int,
    say: Callable[[str], None],
    tell: Callable[[ProofResult], None],
) -> None:
    """Prove these rows on the scratch database; `tell` gets each result. Raises ProofsBrokeOff."""
    wanted = json.dumps({"rows": list(keys), "rounds": rounds})
    # The log of a race is no news: it is about faults that were made on purpose.
    with TemporaryFile("w+", errors="replace") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-m", "verification.proof.child", wanted],
            cwd=Path(settings.BASE_DIR),
            env=_environment(scratch),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            # Ctrl-C reaches the command alone, which ends the child by closing its stdin.
            start_new_session=True,
        )
        assert child.stdin  # noqa: S101 for the types
        assert child.stdout  # noqa: S101
        try:
            _listen(child.stdout, say, tell)
            if child.wait():
                raise ProofsBrokeOff(_how_it_ended(child.returncode, stderr))
        finally:
            child.stdin.close()
            try:
                child.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            child.stdout.close()


def _environment(scratch: Scratch) -> dict[str, str]:
    """The environment of this process, without the addresses of the real database and of the JSON Generator."""
    return os.environ | {
        "DATABASE_URL": scratch.url,
        "DATABASE_DIRECT_URL": scratch.direct_url,
        "JSON_GENERATOR_BASE_URL": "",
        "READ_DOT_ENV": "off",
        "SECRET_KEY": settings.SECRET_KEY,
        "DEBUG": "on" if settings.DEBUG else "off",
    }


def _listen(lines: IO[str], say: Callable[[str], None], tell: Callable[[ProofResult], None]) -> None:
    for line in lines:
        # A process that is killed may have written half a line.
        if not line.endswith("\n"):
            return
        heard = json.loads(line)
        if "say" in heard:
            say(heard["say"])
        else:
            tell(ProofResult.from_json(heard["proof"]))


def _how_it_ended(code: int, stderr: IO[str]) -> str:
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    stderr.seek(0)
    last = stderr.read().splitlines()[-LINES_OF_STDERR:]
    return "\n".join([f"The process that proves {how}. The scratch database is dropped.", *last])
