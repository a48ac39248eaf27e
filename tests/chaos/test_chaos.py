"""Everything breaks at once, and nothing is lost, done twice or stuck. `make chaos` does the same for longer."""

import secrets

import pytest

from tests.chaos.run import CONNECTIONS, run
from tests.support import pooler


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("seconds", "behind_pooler"), [(20, False), (16, True)], ids=["at the server itself", "behind a pooler"]
)
def test_nothing_is_lost_done_twice_or_stuck_whatever_breaks(tmp_path, capsys, seconds, behind_pooler):
    if behind_pooler:
        pooler.need()
    lines = []
    seed = secrets.randbelow(2**31)
    broken = run(tmp_path, seconds=seconds, seed=seed, behind_pooler=behind_pooler, say=lines.append)
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert not broken
    assert f"strangers had {CONNECTIONS} of {CONNECTIONS} connections" in lines
