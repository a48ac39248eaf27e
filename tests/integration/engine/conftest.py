"""Fixtures of tests of the engine."""

import pytest

from tests.support.probe import make_witness_table


@pytest.fixture
def witness_table(transactional_db):
    make_witness_table()
