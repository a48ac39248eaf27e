"""The script of grants names every table, and takes no prefix that is not a name."""

import pytest
from django.apps import apps
from django.core.management import CommandError

from config.management.commands.sql_grants import grants


def test_no_table_of_the_project_was_forgotten():
    ours = [model for name in ("inbox", "packets", "decisions") for model in apps.get_app_config(name).get_models()]
    words = set(grants().replace(",", " ").split())
    assert {model._meta.db_table for model in ours} <= words


def test_a_prefix_that_is_no_name_is_refused():
    with pytest.raises(CommandError, match="--prefix takes"):
        grants('x"; DROP')
