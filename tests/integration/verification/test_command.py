"""verify_locks from its options to its exit code; the proofs themselves are made up."""

import json
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError

from verification import verify
from verification.findings import AuditFinding, Finding, SetUp
from verification.management.commands import verify_locks
from verification.proof.parent import ProofsBrokeOff
from verification.proof.scratch import NoScratch, Scratch
from verification.results import ProofResult, Removal, Run
from verification.row import QUICK_ROUNDS
from verification.rows import ROWS

pytestmark = pytest.mark.django_db

FINE = Run(20, 0, [], 0, 0.1, [])
BROKEN = Run(1, 1, ["job 5 is in 2 claims"], 0, 0.1, [])
FINDING = Finding("index inbox_due", "is missing", "claims are fast", "CREATE INDEX …")


@pytest.fixture
def world(monkeypatch):
    """A scratch database and proofs that do as they are told here."""

    class World:
        run = FINE
        no_scratch = broke_off = scratch_url = rounds = None
        findings = ()

    world = World()

    @contextmanager
    def scratch_database(url):
        world.scratch_url = url
        if world.no_scratch:
            raise NoScratch(world.no_scratch)
        yield Scratch("postgresql:///scratch")

    def prove_on(url, keys, *, rounds, say, tell):
        world.rounds = rounds
        for row in ROWS:
            for proof in row.proofs if row.key in keys else ():
                if world.broke_off:
                    raise ProofsBrokeOff(world.broke_off)
                removals = [Removal(one.name, one.what, BROKEN) for one in proof.without]
                tell(ProofResult(row.key, proof.race.__name__, "", world.run, removals))

    monkeypatch.setattr(verify, "scratch_database", scratch_database)
    monkeypatch.setattr(verify, "prove_on", prove_on)
    monkeypatch.setattr(verify, "inspect", lambda rows: SetUp({row.key: list(world.findings) for row in rows}))
    # It closes the connection of the test.
    monkeypatch.setattr("inbox.management.base.wait_for_database", lambda wait_s: None)
    return world


def verify_all(*words):
    """Run the command; returns what it prints, and its exit code."""
    out = StringIO()
    try:
        call_command("verify_locks", *words, stdout=out, stderr=StringIO())
    except CommandError as error:
        return out.getvalue() + str(error), error.returncode
    return out.getvalue(), 0


def test_all_rows_proved_is_a_success(world):
    text, code = verify_all()
    assert code == 0
    assert "What to do next\n  Nothing." in text
    assert world.rounds == 20


def test_a_broken_promise_is_a_failure(world):
    world.run = BROKEN
    text, code = verify_all()
    assert code == 1
    assert "BROKEN: job 5 is in 2 claims" in text


def test_a_finding_of_the_set_up_is_a_failure(world):
    world.findings = [FINDING]
    text, code = verify_all()
    assert code == 1
    assert "index inbox_due is missing" in text


def test_without_a_scratch_database_the_set_up_part_is_told_all_the_same(world):
    world.no_scratch, world.findings = "this role may not create a database", [FINDING]
    text, code = verify_all()
    assert code == 1
    assert "this role may not create a database" in " ".join(text.split())
    assert "index inbox_due is missing" in text


def test_proofs_that_break_off_leave_a_report(world):
    world.broke_off = "the process that proves ended with exit code -9"
    text, code = verify_all()
    assert code == 1
    assert "ended with exit code -9" in " ".join(text.split())


def test_only_and_quick_choose_rows_and_rounds(world):
    text, _ = verify_all("--json", "--quick", "--only", "claiming")
    assert [row["key"] for row in json.loads(text)["rows"]] == ["claiming"]
    assert world.rounds == QUICK_ROUNDS


def test_a_scratch_url_is_where_the_proofs_are_made(world):
    text, _ = verify_all("--scratch-url", "postgresql:///elsewhere")
    assert world.scratch_url == "postgresql:///elsewhere"
    assert "on a scratch database on the server of --scratch-url, reached directly" in " ".join(text.split())
    text, _ = verify_all()
    assert world.scratch_url != "postgresql:///elsewhere"
    assert "on a scratch database beside it, reached directly" in " ".join(text.split())


def test_the_head_names_server_and_database(world):
    head = json.loads(verify_all("--json")[0])["head"]
    assert head["server"].startswith("PostgreSQL ")
    assert "test_" in head["database"]


def test_files_are_written_for_a_report_that_is_not_good_too(world, tmp_path):
    world.run = BROKEN
    _, code = verify_all("--markdown", str(tmp_path / "x.md"), "--html", str(tmp_path / "x.html"))
    assert code == 1
    assert (tmp_path / "x.md").read_text().startswith("# Every lock")
    assert (tmp_path / "x.html").read_text().startswith("<!doctype html>")


def test_a_file_that_can_not_be_written_is_refused_before_the_work(world):
    text, code = verify_all("--html", "/no/such/folder/x.html")
    assert code == 2
    assert "No such file or directory" in text
    assert world.rounds is None


def test_a_wrong_row_is_refused_before_the_work(world):
    text, code = verify_all("--only", "claming")
    assert "did you mean claiming?" in text
    assert code != 0
    assert world.rounds is None


def test_details_are_told_on_demand(world):
    assert "kept by" not in verify_all()[0]
    assert "kept by" in verify_all("--verbosity", "2")[0]


def test_a_database_that_refuses_is_told_in_words(world, monkeypatch):
    def refuse(rows):
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(verify, "inspect", refuse)
    text, code = verify_all()
    assert code == 1
    assert "the database refused: " in text


def test_an_interrupt_is_told_in_words(world, monkeypatch):
    def interrupt(rows):
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "inspect", interrupt)
    assert verify_all() == ("Stopped; nothing is left behind.", 1)


def test_an_audit_without_findings_is_a_success(world, monkeypatch):
    seen = []
    monkeypatch.setattr(verify_locks, "audit", lambda since, say: seen.append(since) or [])
    assert verify_all("--audit", "--since", "2031-02-03")[1] == 0
    assert seen[0].isoformat() == "2031-02-03T00:00:00+00:00"
    assert world.rounds is None


def test_an_audit_with_findings_is_a_failure(world, monkeypatch):
    found = AuditFinding("two active versions of one packet", 1, ["packet 17"], "tell the developers")
    monkeypatch.setattr(verify_locks, "audit", lambda since, say: [found])
    text, code = verify_all("--audit")
    assert code == 1
    assert "packet 17" in text
    text, _ = verify_all("--audit", "--json")
    assert json.loads(text.partition("\n")[0])["findings"][0]["rows"] == ["packet 17"]
