"""Everything breaks at once, and nothing is lost, done twice or stuck. `make chaos` does the same for longer."""

import secrets

import pytest

from tests.chaos.run import run

SECONDS = 20


@pytest.mark.timeout(600)
def test_nothing_is_lost_done_twice_or_stuck_whatever_breaks(tmp_path, capsys):
    lines = []
    broken = run(tmp_path, seconds=SECONDS, seed=secrets.randbelow(2**31), say=lines.append)
    with capsys.disabled():
        print("", *[line for line in lines if not broken or line], sep="\n")
    assert not broken
