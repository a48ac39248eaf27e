"""A decision version holds everything that the database would otherwise fill in."""

from decisions.models import PacketDecision
from decisions.versions import BEGINNING, NOT_COPIED


def test_a_first_version_says_all_that_the_database_would_fill_in():
    filled = {field.attname for field in PacketDecision._meta.concrete_fields if field.has_db_default()}
    assert filled - NOT_COPIED <= BEGINNING.keys()
