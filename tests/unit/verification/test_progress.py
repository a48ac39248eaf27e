"""Progress is one line that is rewritten on a terminal, and a plain line per race elsewhere."""

import io
import sys

import pytest

from verification.report.progress import CLEAR_LINE, ProofProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(mixed, monkeypatch):
    """The progress of a short run, as that stderr shows it."""

    def show(stderr, is_shown=True):
        monkeypatch.setattr(sys, "stderr", stderr)
        rows = [one.row for one in mixed.rows]
        with ProofProgress(rows, is_shown=is_shown, clock=lambda: 0.0) as progress:
            progress.say("1 Good row: two sessions claim \x1b[2J" + "x" * 100)
            progress.proved(mixed.rows[0].proofs[0])
            progress.say("2 Missing index: two sessions claim")
        return stderr.getvalue()

    return show


def test_a_terminal_has_one_line_that_is_gone_at_the_end(shown):
    text = shown(Terminal())
    assert "\n" not in text
    assert text.endswith(CLEAR_LINE)
    lines = text.split(CLEAR_LINE)
    assert lines[1].startswith("[0/8, 0.0 s] 1 Good row: two sessions claim")
    assert lines[2] == "[1/8, 0.0 s] 2 Missing index: two sessions claim"
    assert max(len(line) for line in lines) < 80
    assert "\x1b" not in "".join(lines)


def test_a_pipe_has_a_plain_line_per_race(shown):
    assert shown(io.StringIO()) == "[1/8, 0.0 s] 1 Good row: two sessions claim: proved\n"


def test_nothing_is_shown_to_nobody(shown):
    assert shown(Terminal(), is_shown=False) == ""


def test_a_pipe_hears_of_long_work_now_and_then(monkeypatch):
    times = iter([0.0, 1.0, 6.0, 6.0, 6.0, 8.0])
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with ProofProgress([], is_shown=True, clock=lambda: next(times)) as progress:
        for text in ("first", "second", "third"):
            progress.say(text)
    assert sys.stderr.getvalue() == "[6.0 s] second\n"
