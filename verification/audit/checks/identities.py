"""Identities behind their tables: plain INSERTs will fail when they reach the rows that are there.

Only those of our own tables: a worker's role may not read the accounts of the admin.
"""

from django.apps import apps

from inbox.db.identities import identities_behind
from verification.audit.check import Check
from verification.set_up.installed import APPS


def _behind() -> list[str]:
    models = [model for app in APPS for model in apps.get_app_config(app).get_models()]
    return [
        f"{identity.table}: the highest {identity.column} is {identity.highest}, the next one is {identity.next_value}"
        for identity in identities_behind(models)
    ]


CHECKS = [Check("identities behind their tables", "Type: manage.py fix_identities", find=_behind)]
