"""Which value of a setting a new session of a role gets, and who has set it: session, role, database or server.

The order of PostgreSQL: what the session asks for itself, then the role in this database, the role, the database, all
roles, the server. This session tells what the sessions of ServiceOps ask for, so it also holds behind a pooler, which
may drop it. A second session, which asks for nothing, tells what the server gives. Failure modes: there is no
connection for that, or the role or database has another value; then the server's is taken to be PostgreSQL's default.
"""

import re
from dataclasses import dataclass

import psycopg
from django.db import connection

from verification.set_up.roles import Login

SELECT_SERVER = """
SELECT name, setting, source, reset_val, boot_val FROM pg_settings WHERE name = ANY(%s)
"""
# Settings of roles and databases; null stands for all.
SELECT_SET = """
SELECT role.rolname, setdatabase <> 0, split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1)
  FROM pg_db_role_setting LEFT JOIN pg_roles AS role ON role.oid = setrole, unnest(setconfig) AS entry
 WHERE (setdatabase = 0 OR setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND (setrole = 0 OR role.rolname IS NOT NULL) AND split_part(entry, '=', 1) = ANY(%s)
"""
SELECT_DATABASE = "SELECT quote_ident(current_database()), current_setting(%s, true)"
SESSION_OPTIONS = "see the options in DATABASE_URL, or connect_query of the pooler"
BY_SESSION = ("client", "session")
BY_SERVER = ("default", "environment variable", "configuration file", "command line", "global", "override", "session")
UNITS_MS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "": 1}


@dataclass(frozen=True, slots=True)
class InForce:
    """A value, who has set it ("role worker_1", "the server"), and the command that takes that back."""

    value: str
    set_by: str
    reset: str


class Settings:
    """The settings of these names, as all roles get them. Reads the catalogues once."""

    def __init__(self, names: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SELECT_SERVER, [names])
            self._session = {name: rest for name, *rest in cursor.fetchall()}
            cursor.execute(SELECT_SET, [names])
            self._set: dict[tuple[str | None, bool, str], str] = {
                (role, is_of_database, name): value for role, is_of_database, name, value in cursor.fetchall()
            }
            # A setting that no module knows is not in pg_settings, even if it is set.
            self._custom: dict[str, str] = {}
            for name in [name for name in names if name not in self._session]:
                cursor.execute(SELECT_DATABASE, [name])
                self._custom[name] = cursor.fetchone()[1] or ""
            cursor.execute(SELECT_DATABASE, [names[0]])
            self._database = cursor.fetchone()[0]
        self._plain = _read_in_plain_session(names) or self._session

    def of(self, login: Login, name: str, *, by_itself: bool = True) -> InForce:
        """The value that a new session of this role gets; with by_itself=False, one that asks for nothing."""
        custom = self._custom.get(name, "")
        setting, source, *_ = self._session.get(name, (custom, "default"))
        if by_itself and login.is_ours and source in BY_SESSION:
            return InForce(setting, "the session itself", SESSION_OPTIONS)
        role, database = f"role {quoted(login.name)}", self._database
        for key, set_by, command in (
            (
                (login.name, True, name),
                f"{role} in database {database}",
                f"{role} IN DATABASE {database}",
            ),
            ((login.name, False, name), role, role),
            ((None, True, name), f"database {database}", f"DATABASE {database}"),
            ((None, False, name), "ALTER ROLE ALL", "ROLE ALL"),
        ):
            if key in self._set:
                return InForce(self._set[key], set_by, f"ALTER {command.replace('role', 'ROLE', 1)} RESET {name};")
        _, source, reset_value, boot_value = self._plain.get(name, (custom, "default", custom, ""))
        value = reset_value if source in BY_SERVER else boot_value
        if value == boot_value and source in ("default", *BY_SESSION):
            return InForce(value, "PostgreSQL's default", "")
        return InForce(value, "the server", f"ALTER SYSTEM RESET {name}; SELECT pg_reload_conf(); (or in its file)")


def _read_in_plain_session(names: list[str]) -> dict[str, list[str]]:
    """As another program's session of this role begins. Empty if there is no connection left."""
    wrapper = connection.copy()
    parameters = wrapper.get_connection_params()
    parameters.pop("options", None)
    try:
        # Not get_new_connection(), whose sessions put right what the server gives them.
        raw = psycopg.connect(**parameters)
    except psycopg.OperationalError:
        return {}
    try:
        return {name: rest for name, *rest in raw.execute(SELECT_SERVER, [names]).fetchall()}
    finally:
        raw.close()


def is_on(value: str) -> bool:
    """A boolean, as people write it."""
    return value.lower() in ("on", "true", "yes", "1", "t", "y")


def is_off(value: str) -> bool:
    """The opposite; an enum such as synchronous_commit may be neither."""
    return value.lower() in ("off", "false", "no", "0", "f", "n")


def milliseconds(value: str) -> float:
    """A duration, as people write it; a bare number is milliseconds."""
    match = re.fullmatch(r"\s*(-?[\d.]+)\s*([a-z]*)\s*", value)
    return float(match[1]) * UNITS_MS.get(match[2], 1) if match else 0


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'
