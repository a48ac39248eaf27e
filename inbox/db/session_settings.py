"""The settings that the promises stand on: each session of ServiceOps runs with them, whoever set what.

A role, a database or a server may be set to anything. So a session asks for these when it connects, after whatever its
address asks for, and then proves that it has them (session_proof.py). A pooler drops what a session asks for; its
`connect_query` carries the same list (deploy/pgbouncer.ini). docs/operations.md says which of them a DBA may change.

The planner's settings are not here: they change how fast an answer comes, never which. Nor is search_path: the tables
may be in any schema, and role, database or address say in which.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionSetting:
    """One setting, with the value that sessions need.

    value      as current_setting() shows it
    protects   what holds with it
    is_limit   the address may ask for another value, such as for a long migration
    is_asked   asked for when the session connects; if not, it is put right only where it is wrong
    is_carried set by the connect_query of a pooler; if not, sessions behind it refuse any other value
    also_fine  other values that are left alone
    """

    name: str
    value: str
    protects: str
    is_limit: bool = False
    is_asked: bool = True
    is_carried: bool = True
    also_fine: tuple[str, ...] = ()

    def is_fine(self, value: str | None) -> bool:
        """Whether a session may run with this value; None is that of a setting which the server does not know."""
        return value is None or value == self.value or value in self.also_fine


EXACT = "what the driver reads and writes is what is stored"
SAME_ANSWER = "the same statement gives the same answer on every server"
SHORT = "nothing waits for ever, or holds its locks for ever"

SESSION_SETTINGS = (
    # Short transactions only: a statement, a lock wait or an idle transaction that takes longer is an error.
    SessionSetting("statement_timeout", "30s", SHORT, is_limit=True),
    SessionSetting("lock_timeout", "5s", SHORT, is_limit=True),
    SessionSetting("idle_in_transaction_session_timeout", "30s", SHORT, is_limit=True),
    # A statement whose client has died ends soon, and releases its locks on jobs.
    SessionSetting("client_connection_check_interval", "1s", SHORT, is_limit=True),
    # So does the session of a client whose network has failed; the system's default is two hours. A socket of the same
    # machine has none, and shows 0.
    SessionSetting("tcp_keepalives_idle", "10", SHORT, is_limit=True, also_fine=("0",)),
    SessionSetting("tcp_keepalives_interval", "5", SHORT, is_limit=True, also_fine=("0",)),
    SessionSetting("tcp_keepalives_count", "3", SHORT, is_limit=True, also_fine=("0",)),
    # The limits above are enough. These would end the session of a process that waits for work, or a slow batch at each
    # attempt. No server before 17 knows the second.
    SessionSetting("idle_session_timeout", "0", "a process that waits for work keeps its session"),
    SessionSetting(
        "transaction_timeout", "0", "a batch that takes its time is not ended", is_asked=False, is_carried=False
    ),
    # Each statement sees what was committed before it, so a transaction that waited for a lock sees what its holder
    # wrote. Each BEGIN names the level, too (config/database_url.py).
    SessionSetting(
        "default_transaction_isolation",
        "read committed",
        "a transaction that waited for a lock sees what its holder wrote, and never acts on a stale picture",
    ),
    # The server's own value is respected: so a cluster manager keeps writes away from an old primary.
    SessionSetting(
        "default_transaction_read_only", "off", "jobs are claimed and finished", is_asked=False, is_carried=False
    ),
    # Other values wait for the disk, too, and differ in what they wait for at a standby: that is the DBA's choice.
    SessionSetting(
        "synchronous_commit",
        "on",
        "what was acknowledged is there after a crash",
        is_asked=False,
        also_fine=("local", "remote_write", "remote_apply"),
    ),
    # Only a superuser may set it, or a role with GRANT SET.
    SessionSetting(
        "session_replication_role",
        "origin",
        "triggers and foreign keys are enforced: moves of jobs, append-only tables",
        is_asked=False,
        is_carried=False,
    ),
    SessionSetting("inbox.recorded_move", "", "a job leaves DEAD by a recorded move only"),
    # An error ends its transaction, and not the session with all the jobs that it has claimed.
    SessionSetting("exit_on_error", "off", "an error of one job spares the others", is_carried=False),
    SessionSetting("row_security", "on", "no statement fails on a table with row level security"),
    # The driver reads times and intervals in these styles only.
    SessionSetting("DateStyle", "ISO, MDY", EXACT),
    SessionSetting("IntervalStyle", "postgres", EXACT),
    SessionSetting("TimeZone", "UTC", EXACT),
    SessionSetting("client_encoding", "UTF8", EXACT, is_carried=False),
    SessionSetting("standard_conforming_strings", "on", EXACT, is_carried=False),
    SessionSetting("bytea_output", "hex", EXACT, is_carried=False),
    SessionSetting("extra_float_digits", "1", EXACT, is_carried=False),
    # A NULL in a list stays one, and nothing equals NULL.
    SessionSetting("array_nulls", "on", SAME_ANSWER),
    SessionSetting("transform_null_equals", "off", SAME_ANSWER),
    SessionSetting("quote_all_identifiers", "off", SAME_ANSWER, is_carried=False),
)

# PgBouncer's buffer for it has 512 bytes, 6 of them for the protocol. With a longer one it lets nobody in.
CONNECT_QUERY_LIMIT = 506


def options(of_address: str = "") -> str:
    """The options of a new session, in libpq's form; the address may change limits, and nothing else."""
    asked = [setting for setting in SESSION_SETTINGS if setting.is_asked]
    limits = [_option(setting) for setting in asked if setting.is_limit]
    others = [_option(setting) for setting in asked if not setting.is_limit]
    return " ".join([*limits, *filter(None, [of_address]), *others])


def _option(setting: SessionSetting) -> str:
    value = setting.value.replace("\\", "\\\\").replace(" ", "\\ ")
    return f"-c {setting.name}={value}"


def connect_query() -> str:
    """The statements that a pooler runs in each new session of the server, so that its clients find the same settings.

    PgBouncer sends at most CONNECT_QUERY_LIMIT bytes. So it does not set what is right unless somebody has changed it.
    """
    return ";".join(f"SET {one.name}={_literal(one.value)}" for one in SESSION_SETTINGS if one.is_carried)


def _literal(value: str) -> str:
    return value if value.isalpha() or value.isdigit() else f"'{value}'"
