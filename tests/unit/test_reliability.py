"""The table of docs/reliability.md is that of the slices that are kept."""

import json

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.report import DOCUMENT, KEPT, with_table

SLICE = {
    "broke_s": 1800,
    "behind_pooler": False,
    "messages": 600_000,
    "of_domain": {"intakes": 70_000},
    "faults": {"worker killed": 900, "failover": 20},
    "recovery_s": {"worker killed": 0.5, "failover": 4.25},
    "deadlocks": 3,
    "harm": {"lost": 0, "twice": 0, "reopened": 0, "deadlocks": 0, "stuck": 1, "other": 0},
}


def test_the_table_sums_up_the_slices_that_are_kept():
    assert DOCUMENT.read_text() == with_table(DOCUMENT.read_text(), KEPT.read_text())


def test_the_table_adds_messages_and_faults_and_keeps_the_longest_recovery():
    slower = SLICE | {"recovery_s": {"failover": 9.0}}
    table = with_table(DOCUMENT.read_text(), f"{json.dumps(SLICE)}\n{json.dumps(slower)}\n")
    assert "| messages | 1,200,000 |" in table
    assert "| intakes | 140,000 |" in table
    assert "| faults | 1,840 of 2 kinds |" in table
    assert "| jobs stuck | 2 |" in table
    assert "| 40 | 9.0 s |" in table
    assert "| 1,800 | 0.5 s |" in table


def test_a_document_without_a_place_for_the_table_is_refused():
    with pytest.raises(ValueError, match="no place for the table"):
        with_table("# Reliability", "")


def test_each_kind_of_fault_has_a_name_of_its_own_and_says_what_it_does():
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 16
    assert all(kind.does for kind in KINDS)
