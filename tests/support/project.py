"""The project's folder, and manage.py in it as a process."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def manage(*arguments, **environment):
    """Run manage.py with nothing else set, and no `.env` in reach; returns (exit code, stdout, stderr)."""
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "READ_DOT_ENV": "off"}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=PROJECT, env=clean | environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr
