"""Verdicts: only a row of which everything was proved is good."""

from dataclasses import replace

from verification.findings import SetUp
from verification.report.model import Report
from verification.report.words import (
    ALL_PROVED,
    BROKE,
    MEND,
    NO_PROOFS,
    NOT_SEEN,
    head_lines,
    headline,
    next_steps,
    took,
    totals,
)
from verification.results import Verdict


def test_each_row_has_the_worst_verdict_of_its_evidence(mixed):
    assert {one.row.key: one.verdict for one in mixed.rows} == {
        "good": Verdict.PROVED,
        "set-up": Verdict.FAILED,
        "broken": Verdict.FAILED,
        "green": Verdict.NOT_PROVED,
        "error": Verdict.NOT_PROVED,
        "half": Verdict.NOT_PROVED,
        "unrun": Verdict.SET_UP_ONLY,
    }


def test_only_a_report_of_proved_rows_is_good(proved, mixed):
    assert proved.is_good
    for row in mixed.rows[1:]:
        assert not Report(proved.head, [*proved.rows, row]).is_good
    assert not replace(proved, rows=[]).is_good
    assert not replace(proved, why_no_proofs="the server went away").is_good
    assert not replace(proved, set_up=SetUp({"another": mixed.other_findings})).is_good


def test_a_finding_of_no_row_is_not_lost(mixed):
    assert [finding.about for finding in mixed.other_findings] == ["grants of other_role"]


def test_the_next_steps_are_those_that_the_rows_call_for(proved, mixed):
    assert next_steps(proved) == [ALL_PROVED]
    assert next_steps(mixed) == [BROKE, MEND, NOT_SEEN, NO_PROOFS]
    assert next_steps(replace(proved, rows=[mixed.rows[1]])) == [MEND]
    assert next_steps(replace(proved, rows=[mixed.rows[2]])) == [BROKE]
    assert next_steps(replace(proved, rows=[mixed.rows[3]])) == [NOT_SEEN]


def test_the_headline_and_the_totals_count(proved, mixed):
    assert headline(proved) == "The one row is proved."
    assert headline(mixed) == (
        "Not every row is proved. Of 7 rows: 2 failed, 3 not proved, 1 checked for their set-up only, 1 proved."
    )
    assert totals(mixed) == (
        "6 races, 100 rounds, 1 broken round, 0 deadlocks. "
        "A protection was taken out 6 times; each time a race must break, and 5 did."
    )


def test_the_totals_tell_nothing_of_what_was_not_tried(proved):
    [row] = proved.rows
    assert totals(replace(proved, rows=[replace(row, proofs=[])])) == "No race was run."
    unprotected = replace(row.proofs[0], removals=[])
    assert "taken out" not in totals(replace(proved, rows=[replace(row, proofs=[unprotected])]))


def test_the_head_says_when_where_and_why_proofs_are_missing(mixed):
    head = dict(head_lines(mixed))
    assert head["when"] == "2031-02-03 04:05:06 UTC, took 2 min 8 s"
    assert head["run"] == "full: at most 20 rounds of each race"
    assert head["proofs"] == (
        "on a scratch database beside it, reached directly; "
        "why some are missing: the process that proves ended with exit code -9"
    )
    assert head["load"] == "0.5 at the start, 1.2 at the end, on 2 processors"
    assert head["data checksums"] == "on"


def test_a_duration_reads_well():
    assert [took(seconds) for seconds in (0.04, 9.94, 59.6, 128.4)] == ["0.0 s", "9.9 s", "1 min 0 s", "2 min 8 s"]
