"""Makes the data folder of the embedded server, with its database."""

import secrets
import shutil
from pathlib import Path

from config.embedded_postgres.programs import OR_ELSE, DevDbError, binary, launcher, run

USER = DATABASE = "serviceops"
LOCALES = ("C.UTF-8", "C")


def create_cluster(data: Path) -> None:
    """Build it under another name, so that `data` is complete as soon as it is there. Raises DevDbError."""
    home = data.parent
    for leftover in home.glob("new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    new = home / f"new-{secrets.token_hex(4)}"
    way = launcher(home)
    for locale in LOCALES:
        options = ["--no-sync", "--auth=trust", "-U", USER, "-E", "UTF8", f"--locale={locale}"]
        result = run(way, [binary("initdb"), *options, "-D", new])
        if result.returncode == 0:
            break
    else:
        raise DevDbError(f"initdb failed in {home}:\n{result.stdout.strip()}\n{OR_ELSE}")
    # Not once the server answers: a second command would then find it without its database.
    options = ["--single", "-F", "-c", "exit_on_error=on", "-D", str(new), "postgres"]
    result = run(way, [binary("postgres"), *options], stdin=f"CREATE DATABASE {DATABASE};\n")
    if result.returncode != 0:
        raise DevDbError(f"The database {DATABASE} cannot be made in {home}:\n{result.stdout.strip()}\n{OR_ELSE}")
    new.rename(data)
