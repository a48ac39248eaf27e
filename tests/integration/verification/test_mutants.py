"""The chaos test's mutants: each finds what it takes out, for as long as it is held."""

import gc
from contextlib import ExitStack

import pytest

from inbox.models.job import JobQuerySet
from tests.chaos import mutants

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_what_a_mutant_takes_out_is_there(name):
    with mutants.MUTANTS[name].without():
        pass


def test_what_is_taken_out_stays_out(monkeypatch):
    plain = JobQuerySet.lock_keys
    with ExitStack() as held:
        monkeypatch.setattr(mutants, "_taken_out", held)
        mutants.take_out("reclaim-waits")
        gc.collect()
        assert JobQuerySet.lock_keys is not plain
    assert JobQuerySet.lock_keys is plain
