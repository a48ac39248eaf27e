"""python -m tests.chaos.audited: the project's audit of what a chaos run has left; prints the findings as JSON."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from tests.support.project import PROJECT

SETTINGS = "tests.chaos.settings"


def ask_module(module: str, url: str) -> Any:
    """The JSON that `python -m` this module prints for the database at `url`; the process knows the chaos source.

    Raises CalledProcessError.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=PROJECT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": SETTINGS, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def audited(url: str) -> dict[str, list[tuple]]:
    """The findings of an audit of this database, by what was looked for."""
    found = ask_module("tests.chaos.audited", url)
    return {f"audit: {finding['check']}": [(row,) for row in finding["rows"]] for finding in found}


if __name__ == "__main__":
    import django

    django.setup()

    from verification.audit.run import audit

    print(json.dumps([asdict(finding) for finding in audit(since=None, say=lambda text: None)]))
