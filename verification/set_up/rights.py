"""The rights on our tables: those of the groups of `sql_grants`, and of the logins in them."""

from collections.abc import Iterator, Mapping, Sequence

from django.db import connection

from verification.set_up.expected import Rights
from verification.set_up.in_force import quoted
from verification.set_up.roles import GROUPS, OUR_GROUPS, Login
from verification.set_up.trouble import Trouble, of_table

# The rights of a role, whoever has given it: by itself, by a role that it is in, or as everybody.
SELECT_RIGHTS = """
WITH own AS (SELECT oid, rolname FROM pg_roles WHERE rolname = ANY(%(roles)s)),
ours AS (SELECT oid, relname FROM pg_class
          WHERE relnamespace = %(schema)s AND relname = ANY(%(tables)s) AND relkind IN ('r', 'p'))
SELECT rolname, 'table ' || relname, verb
  FROM own, ours, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS verb
 WHERE has_table_privilege(own.oid, ours.oid, verb)
UNION ALL
SELECT rolname, 'table ' || relname, format('%%s (%%s)', verb, attname)
  FROM own, ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped,
       unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS verb
 WHERE has_column_privilege(own.oid, ours.oid, attnum, verb) AND NOT has_table_privilege(own.oid, ours.oid, verb)
UNION ALL
SELECT rolname, 'sequence ' || relname, verb
  FROM own, pg_class, unnest(ARRAY['USAGE', 'UPDATE']) AS verb
 WHERE relnamespace = %(schema)s AND relname = ANY(%(sequences)s) AND relkind = 'S'
   AND has_sequence_privilege(own.oid, pg_class.oid, verb)
 ORDER BY 1, 2, 3
"""
SELECT_MEMBERSHIPS = """
SELECT ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = oid) FROM pg_roles WHERE rolname = %s
"""


def read_rights(
    schema: int, tables: Sequence[str], sequences: Sequence[str], roles: Sequence[str]
) -> Mapping[str, Rights]:
    """The rights in effect, by role and object."""
    found: dict[str, dict[str, list[str]]] = {role: {} for role in roles}
    with connection.cursor() as cursor:
        cursor.execute(
            SELECT_RIGHTS,
            {"schema": schema, "tables": list(tables), "sequences": list(sequences), "roles": list(roles)},
        )
        for role, name, verb in cursor.fetchall():
            found[role].setdefault(name, []).append(verb)
    return found


def right_troubles(
    expected: Mapping[str, Rights], read: Mapping[str, Rights], prefixes: Sequence[str], logins: Sequence[Login]
) -> list[Trouble]:
    """Groups with other rights than `sql_grants` gives, and logins with more than their groups."""
    troubles: list[Trouble] = []
    for prefix in prefixes:
        mend = f'manage.py sql_grants{_option(prefix)} | psql -v ON_ERROR_STOP=1 "$OWNER_URL"'
        for group in GROUPS:
            troubles += _differences(prefix + group, read[prefix + group], expected[group], mend)
    for login in logins:
        if login.groups and not login.is_super:
            # Another program's login gets nothing from our groups: it must not be in them.
            others = [group for group in login.groups if group not in OUR_GROUPS]
            allowed = _union([expected[group] for group in others or login.groups])
            troubles += _differences(login.name, read[login.name], allowed, _mend_login(login.name))
    return troubles


def _differences(role: str, has: Rights, wanted: Rights, mend: str) -> Iterator[Trouble]:
    for name in sorted({*has, *wanted}):
        given, due = set(has.get(name, [])), set(wanted.get(name, []))
        # A right on the whole table is one on each column.
        missing = {right for right in due - given if right.partition(" (")[0] not in given}
        # More to read is no danger to what is promised.
        more = {
            right for right in given - due if not right.startswith("SELECT") and right.partition(" (")[0] not in due
        }
        where = of_table(name.removeprefix("table ")) if name.startswith("table ") else {"concerns": (name,)}
        if missing:
            what = f"may not {', '.join(sorted(missing))} on {name}, which its program needs"
            yield Trouble(f"grants of {role}", what, mend, "its program can do its work", **where)
        if more:
            what = f"may also {', '.join(sorted(more))} on {name}"
            mends = mend.format(rights=", ".join(sorted(more)), name=name.removeprefix("table "))
            danger = "nobody but the program that should may write"
            yield Trouble(f"grants of {role}", what, mends, danger, **where)


def _union(rights: Sequence[Rights]) -> Rights:
    names = {name for one in rights for name in one}
    return {name: sorted({right for one in rights for right in one.get(name, [])}) for name in names}


def _mend_login(login: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_MEMBERSHIPS, [login])
        (roles,) = cursor.fetchone()
    roles_in = ", ".join(roles)
    return f"REVOKE {{rights}} ON {{name}} FROM {quoted(login)}; (or from a role that it is in: {roles_in}, or PUBLIC)"


def _option(prefix: str) -> str:
    return "" if prefix == "serviceops_" else f" --prefix {prefix}"
