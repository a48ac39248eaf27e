"""Identities and the sequence of packet numbers: whether the next number is one that a row has already."""

from django.apps import apps
from django.db import DatabaseError, connection, transaction

from inbox.db.identities import identities_behind
from verification.set_up.installed import APPS
from verification.set_up.trouble import Trouble, of_table

SEQUENCE = "packet_external_number"
# The newest packets have the highest numbers, so this is bounded at any size.
SELECT_NUMBERS = r"""
SELECT (SELECT max(substring(external_id FROM '^SVC-\d{4}-(\d{1,18})$')::bigint)
          FROM (SELECT external_id FROM packet ORDER BY packet_id DESC LIMIT 1000) AS newest),
       last_value + is_called::int
  FROM packet_external_number
"""


def number_troubles() -> tuple[list[Trouble], list[str]]:
    """Which are behind, and the names of those that this role may not look at."""
    troubles: list[Trouble] = []
    unseen: list[str] = []
    for model in [model for app in APPS for model in apps.get_app_config(app).get_models()]:
        table = model._meta.db_table
        try:
            with transaction.atomic():
                behind = identities_behind([model])
        except DatabaseError:
            unseen.append(table)
            continue
        for one in behind:
            what = f"gives {one.next_value} next, but a row has {one.highest}"
            danger = "every message can be inserted"
            about = f"identity {table}.{one.column}"
            troubles.append(Trouble(about, what, "manage.py fix_identities", danger, **of_table(table)))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(SELECT_NUMBERS)
            highest, next_value = cursor.fetchone()
    except DatabaseError:
        return troubles, [*unseen, SEQUENCE]
    if highest is not None and highest >= next_value:
        what = f"gives {next_value} next, but a packet has {highest}"
        mend = f"SELECT setval('{SEQUENCE}', {highest});"
        troubles.append(Trouble(f"sequence {SEQUENCE}", what, mend, concerns=(f"sequence {SEQUENCE}",), row="packets"))
    return troubles, unseen
