"""Starts the process that proves, and reads what it says line by line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

from verification.results import ProofResult


class ProofsBrokeOff(Exception):
    """The process that proves ended too soon; the text has the end of what it wrote to stderr."""


def prove_on(
    url: str, keys: Sequence[str], *, rounds: int, say: Callable[[str], None], tell: Callable[[ProofResult], None]
) -> None:
    """Prove these rows on the scratch database at `url`; `tell` gets each result. Raises ProofsBrokeOff."""
    # The session that makes the report has no business in the child: only the scratch database's address goes there.
    environment = os.environ | {"DATABASE_URL": url, "DATABASE_DIRECT_URL": "", "READ_DOT_ENV": "off"}
    environment |= {"SECRET_KEY": settings.SECRET_KEY, "DEBUG": "on" if settings.DEBUG else "off"}
    child = subprocess.Popen(
        [sys.executable, "-m", "verification.proof.child", json.dumps({"rows": list(keys), "rounds": rounds})],
        cwd=Path(settings.BASE_DIR),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C reaches the command alone, which ends the child by closing its stdin.
        start_new_session=True,
    )
    assert child.stdin  # noqa: S101 for the types
    assert child.stdout  # noqa: S101
    try:
        for line in child.stdout:
            heard = json.loads(line)
            if "say" in heard:
                say(heard["say"])
            else:
                tell(ProofResult.from_json(heard["proof"]))
        if child.wait():
            raise ProofsBrokeOff(f"the process that proves ended with exit code {child.returncode}")
    finally:
        child.stdin.close()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
