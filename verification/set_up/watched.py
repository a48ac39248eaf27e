"""The settings that promises stand on: which values endanger what.

Sessions of other programs are looked at too, if they write our tables: what they set reaches the triggers, and how long
their transactions stay open.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inbox.db.session_settings import SESSION_SETTINGS, SessionSetting
from verification.set_up.in_force import InForce, Settings, is_off, is_on, milliseconds
from verification.set_up.roles import Login
from verification.set_up.trouble import Trouble

DOCS = "see docs/operations.md"


@dataclass(frozen=True, slots=True)
class Watched:
    """A setting, and when it is wrong.

    is_wrong   of its value, as it was written
    endangers  the promise, in words
    row        the row that tells of it, if none names it
    for_others it also matters in the sessions of Integration, ClinicalOps and the JSON Generator
    in_vain    said of a value that does not reach ServiceOps' own sessions; if empty, that is fine
    """

    name: str
    is_wrong: Callable[[str], bool]
    endangers: str
    row: str
    for_others: bool = False
    in_vain: str = ""


def _is_unlimited(value: str) -> bool:
    return milliseconds(value) <= 0


IN_WORDS = (
    Watched(
        "default_transaction_isolation",
        lambda value: value.lower() != "read committed",
        "a transaction that waited for a lock sees what its holder wrote, and never acts on a stale picture",
        "isolation",
        in_vain="; ServiceOps' own sessions ask for read committed, but others of this role get it",
    ),
    Watched(
        "default_transaction_read_only",
        is_on,
        "jobs are claimed and finished, and cases decided",
        "claiming",
        for_others=True,
    ),
    Watched(
        "synchronous_commit",
        is_off,
        "what was acknowledged is there after a crash: decisions of staff, and answers of calls",
        "status",
        for_others=True,
    ),
    Watched("lock_timeout", _is_unlimited, "nothing waits for ever for a lock", "connections"),
    Watched("statement_timeout", _is_unlimited, "no statement runs for ever, and keeps its locks", "connections"),
    Watched(
        "idle_in_transaction_session_timeout",
        _is_unlimited,
        "a process that hangs within a transaction loses its locks",
        "connections",
    ),
    Watched(
        "client_connection_check_interval",
        _is_unlimited,
        "a statement whose client has died ends soon, and releases its jobs",
        "connections",
    ),
    Watched(
        "session_replication_role",
        lambda value: value.lower() != "origin",
        "triggers and foreign keys are enforced: moves of jobs, append-only tables, revisions of ClinicalOps' rows",
        "status",
        for_others=True,
    ),
    Watched(
        "inbox.recorded_move",
        bool,
        "a job leaves DEAD by a recorded move only",
        "status",
    ),
    Watched("row_security", is_off, "no statement fails on a table with row level security", "status"),
    Watched("track_counts", is_off, "deadlocks are counted, and tables vacuumed", "watched"),
    Watched(
        "deadlock_timeout",
        lambda value: milliseconds(value) >= 5000,
        "a deadlock is found before the wait for its lock ends, and so is counted",
        "watched",
    ),
    Watched("zero_damaged_pages", is_on, "a damaged page is an error, and never emptied in silence", "status"),
)


def _proved(setting: SessionSetting) -> Watched:
    """A setting that sessions prove when they connect. It is empty where the server does not know it."""
    return Watched(setting.name, lambda value: bool(value) and not setting.is_fine(value), setting.protects, "status")


_NAMED = [watched.name for watched in IN_WORDS]
# A socket of the same machine has no keepalives.
WATCHED = IN_WORDS + tuple(
    _proved(one) for one in SESSION_SETTINGS if one.name not in _NAMED and not one.name.startswith("tcp_")
)
# Waiting for the standby's disk may be switched off without harm, unless there is one that must not lose anything.
HALF_SYNCHRONOUS = ("local", "remote_write")
OTHERS = ("search_path", "synchronous_standby_names")
NAMES = [watched.name for watched in WATCHED] + list(OTHERS)


def setting_troubles(settings: Settings, logins: Sequence[Login]) -> list[Trouble]:
    """Troubles with the settings in force for these roles."""
    troubles = []
    for watched in WATCHED:
        for login in logins:
            if not (login.is_ours or watched.for_others):
                continue
            found = settings.of(login, watched.name)
            in_vain = ""
            if watched.in_vain and not watched.is_wrong(found.value):
                found, in_vain = settings.of(login, watched.name, by_itself=False), watched.in_vain
            if watched.is_wrong(found.value) or _may_lose_on_failover(settings, login, watched.name, found.value):
                troubles.append(_trouble(watched, found, login, in_vain))
    return troubles


def in_words(settings: Settings, login: Login) -> str:
    """The most important settings in force for a role, and who has set what is not PostgreSQL's default."""
    parts = []
    for watched in IN_WORDS:
        found = settings.of(login, watched.name)
        if found.value:
            by = "" if found.set_by == "PostgreSQL's default" else f" (by {found.set_by})"
            parts.append(f"{watched.name} = {found.value}{by}")
    return ", ".join(parts)


def _trouble(watched: Watched, found: InForce, login: Login, in_vain: str) -> Trouble:
    mend = found.reset or f"set it for the session: {DOCS}, Connections and Poolers"
    return Trouble(
        f"setting {watched.name} of role {login.name}",
        f"is '{found.value}', set by {found.set_by}{in_vain}",
        mend,
        watched.endangers,
        concerns=(watched.name,),
        row=watched.row,
    )


def _may_lose_on_failover(settings: Settings, login: Login, name: str, value: str) -> bool:
    return (
        name == "synchronous_commit"
        and value.lower() in HALF_SYNCHRONOUS
        and bool(settings.of(login, "synchronous_standby_names").value.strip())
    )
