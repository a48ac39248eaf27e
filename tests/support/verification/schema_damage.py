"""Ways to damage each kind of object of the database, for tests: what the report must then say, and the statements."""

from collections.abc import Iterator

from verification.set_up.installed import DbObject

MISSING, CHANGED = "is missing", "is not as the migrations made it"
UNMARK = "UPDATE pg_index SET {flag} = false WHERE indexrelid = '{name}'::regclass"

Way = tuple[str, str]


def ways_to_damage(one: DbObject) -> Iterator[Way]:
    """Everything that this kind of object can suffer, as (words of the report, statements of a superuser)."""
    return {
        "table": _of_a_table,
        "index": _of_an_index,
        "constraint": _of_a_constraint,
        "trigger": _of_a_trigger,
        "function": _of_a_function,
        "sequence": _of_a_sequence,
    }[one.kind](one)


def _of_a_table(one: DbObject) -> Iterator[Way]:
    alter = f"ALTER TABLE {one.table}"
    lines = one.definition.splitlines()
    # A key's column can't be made nullable.
    line = next((line for line in lines if "NOT NULL" not in line), lines[0])
    column = line.split()[0]
    yield MISSING, f"{alter} RENAME TO elsewhere"
    # SET UNLOGGED refuses where a foreign key refers to the table.
    yield "is UNLOGGED", f"UPDATE pg_class SET relpersistence = 'u' WHERE oid = '{one.table}'::regclass"
    yield "has row level security", f"{alter} ENABLE ROW LEVEL SECURITY"
    yield "has a column strange", f"{alter} ADD COLUMN strange integer NOT NULL"
    yield f"lacks the column {column}", f"{alter} RENAME COLUMN {column} TO strange"
    null = "DROP" if "NOT NULL" in line else "SET"
    yield f"has its column {column} as", f"{alter} ALTER COLUMN {column} {null} NOT NULL"


def _of_an_index(one: DbObject) -> Iterator[Way]:
    name = one.bare_name
    yield MISSING, f"DROP INDEX {name}"
    yield "is INVALID", UNMARK.format(flag="indisvalid", name=name)
    yield "is INVALID", UNMARK.format(flag="indisready", name=name)
    yield CHANGED, f"DROP INDEX {name}; CREATE INDEX {name} ON {one.table} ((1))"


def _of_a_constraint(one: DbObject) -> Iterator[Way]:
    name, alter = one.bare_name, f"ALTER TABLE {one.table}"
    drop = f"{alter} DROP CONSTRAINT {name} CASCADE"
    yield MISSING, drop
    if one.definition.startswith("CHECK"):
        yield "is NOT VALID", f"{drop}; {alter} ADD CONSTRAINT {name} {one.definition} NOT VALID"
        yield CHANGED, f"{drop}; {alter} ADD CONSTRAINT {name} CHECK (true)"
    elif one.definition.startswith("FOREIGN"):
        yield "is NOT VALID", f"{drop}; {alter} ADD CONSTRAINT {name} {one.definition} NOT VALID"
        yield CHANGED, f"{drop}; {alter} ADD CONSTRAINT {name} {one.definition.split(' DEFER')[0]} ON UPDATE CASCADE"
        yield "its triggers are disabled", f"{alter} DISABLE TRIGGER ALL"
    else:
        yield "is INVALID", UNMARK.format(flag="indisvalid", name=name)
        column = one.definition.partition("(")[2].rstrip(")").split(", ")[-1]
        yield CHANGED, f"{drop}; {alter} ADD CONSTRAINT {name} UNIQUE ({column}) DEFERRABLE"


def _of_a_trigger(one: DbObject) -> Iterator[Way]:
    name, alter = one.bare_name, f"ALTER TABLE {one.table}"
    drop = f"DROP TRIGGER {name} ON {one.table}"
    head, _, function = one.definition.partition(" EXECUTE FUNCTION ")
    make = f"CREATE FUNCTION elsewhere.{function} RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    path = "SET LOCAL search_path = elsewhere, public"
    yield MISSING, drop
    yield "is disabled", f"{alter} DISABLE TRIGGER {name}"
    yield "is disabled", f"{alter} ENABLE REPLICA TRIGGER {name}"
    yield CHANGED, f"{drop}; CREATE TRIGGER {name} AFTER TRUNCATE ON {one.table} EXECUTE FUNCTION {function}"
    # With this path the name in the definition is that of the migrations.
    yield (
        "calls a function of another schema",
        f"CREATE SCHEMA elsewhere; {make}; {drop}; {head} EXECUTE FUNCTION elsewhere.{function}; {path}",
    )


def _of_a_function(one: DbObject) -> Iterator[Way]:
    body = one.definition.splitlines()
    yield MISSING, f"DROP FUNCTION {one.bare_name} CASCADE"
    yield CHANGED, one.definition.replace("AS $function$", "SECURITY DEFINER AS $function$", 1)
    yield CHANGED, one.definition.replace("AS $function$", "SET work_mem = '64kB' AS $function$", 1)
    yield CHANGED, "\n".join([*body[:-1], "-- by hand", body[-1]])


def _of_a_sequence(one: DbObject) -> Iterator[Way]:
    yield MISSING, f"DROP SEQUENCE {one.bare_name} CASCADE"
    yield CHANGED, f"ALTER SEQUENCE {one.bare_name} CYCLE"
    yield CHANGED, f"ALTER SEQUENCE {one.bare_name} INCREMENT BY 2"
