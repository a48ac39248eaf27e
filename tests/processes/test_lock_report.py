"""verify_locks as a process: what it prints where, and its exit codes."""

import json

import pytest

from verification.row import QUICK_ROUNDS

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_real_proof_of_one_row(run_command, tmp_path):
    page = tmp_path / "report.html"
    code, out, err = run_command("verify_locks", "--only", "claiming", "--quick", "--json", "--html", str(page))
    assert code == 0, out + err
    assert "1 Job claiming: eight sessions claim: proved\n" in err
    assert "\x1b" not in err
    (row,) = json.loads(out)["rows"]
    assert row["verdict"] == "PROVED"
    assert row["proofs"][0]["run"]["rounds"] == QUICK_ROUNDS
    assert row["proofs"][0]["removals"][0]["run"]["broken"]
    assert "held before _mark" in page.read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--only", "claming"], "did you mean claiming?"),
        (["--since", "yesterday"], "must be a time such as"),
        (["--html", "/no/such/folder/x.html"], "No such file or directory"),
        (["--markdown", "-"], "'-' is no file"),
        (["--audit", "--quick"], "--audit proves nothing"),
    ],
)
def test_wrong_usage(run_command, words, says):
    code, out, err = run_command("verify_locks", *words)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


def test_no_database(run_command):
    code, out, err = run_command("verify_locks", DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/nothing")
    assert (code, out) == (4, "")
    assert "Is DATABASE_URL right" in err
    assert "secret" not in err
