"""Roles that may log in and write our tables, and their groups of `sql_grants`."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

GROUPS = ("integration", "clinicalops", "worker", "web")
OUR_GROUPS = ("worker", "web")

# The prefix of `sql_grants --prefix`: its four groups exist, and one of them may do something with a table of ours.
SELECT_PREFIXES = """
SELECT prefix
  FROM (SELECT left(rolname, -length('worker')) AS prefix FROM pg_roles WHERE rolname LIKE '%%\\_worker') AS found,
       LATERAL (SELECT count(*) AS groups, bool_or(EXISTS (
                           SELECT FROM pg_class
                            WHERE relnamespace = %(schema)s AND relname = ANY(%(tables)s)
                              AND has_any_column_privilege(own.oid, pg_class.oid, 'SELECT, INSERT, UPDATE'))) AS is_used
                  FROM pg_roles AS own, unnest(%(groups)s::text[]) AS name
                 WHERE own.rolname = prefix || name) AS own
 WHERE own.groups = 4 AND own.is_used
 ORDER BY 1
"""
# Superusers may do everything, so only the one that asks is looked at.
SELECT_LOGINS = """
SELECT rolname, rolname = session_user, rolsuper,
       has_any_column_privilege(oid, to_regclass(%(inbox)s), 'UPDATE'),
       ARRAY(SELECT own.rolname::text FROM pg_roles AS own
              WHERE own.rolname = ANY(%(group_names)s) AND pg_has_role(login.oid, own.oid, 'MEMBER')),
       pg_has_role(login.oid, 'pg_read_all_stats', 'USAGE')
  FROM pg_roles AS login
 WHERE rolname = session_user
    OR rolcanlogin AND NOT rolsuper
       AND EXISTS (SELECT FROM pg_class
                    WHERE relnamespace = %(schema)s AND relname = ANY(%(tables)s) AND relkind IN ('r', 'p')
                      AND (has_table_privilege(login.oid, pg_class.oid, 'DELETE, TRUNCATE')
                           OR has_any_column_privilege(login.oid, pg_class.oid, 'INSERT, UPDATE')))
 ORDER BY 1
"""
SELECT_INBOX = """
SELECT quote_ident(nspname) || '.integration_inbox' FROM pg_namespace WHERE oid = %s
"""


@dataclass(frozen=True, slots=True)
class Login:
    """A role that may log in and write a table of ours.

    is_current the role of this session
    is_super   a superuser; only the current role may be one
    is_ours    it works on jobs: a process of ServiceOps, and no other program
    groups     the groups of `sql_grants` that it is in: "worker", "web", "integration", "clinicalops"
    """

    name: str
    is_current: bool
    is_super: bool
    is_ours: bool
    groups: tuple[str, ...]
    sees_all_sessions: bool


def read_prefixes(schema: int, tables: Sequence[str]) -> list[str]:
    """The prefixes with which `sql_grants` was run for these tables; none, if it never was."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_PREFIXES, {"schema": schema, "tables": list(tables), "groups": list(GROUPS)})
        return [prefix for (prefix,) in cursor.fetchall()]


def read_logins(schema: int, tables: Sequence[str], prefixes: Sequence[str]) -> list[Login]:
    """Those that may write, and the role of this session."""
    names = {f"{prefix}{group}": group for prefix in prefixes for group in GROUPS}
    with connection.cursor() as cursor:
        cursor.execute(SELECT_INBOX, [schema])
        wanted = {"inbox": cursor.fetchone()[0], "group_names": list(names), "schema": schema, "tables": list(tables)}
        cursor.execute(SELECT_LOGINS, wanted)
        return [
            Login(name, is_current, is_super, bool(is_ours), tuple(sorted({names[one] for one in groups})), sees)
            for name, is_current, is_super, is_ours, groups, sees in cursor.fetchall()
        ]
