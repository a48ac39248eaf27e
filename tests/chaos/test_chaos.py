"""Everything breaks at once, and nothing is lost, done twice or stuck. `make chaos` does the same for longer."""

import secrets
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.run import Run, run
from tests.chaos.stage import CONNECTIONS
from tests.support import pooler


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("seconds", "behind_pooler"), [(20, False), (16, True)], ids=["at the server itself", "behind a pooler"]
)
def test_nothing_is_lost_done_twice_or_stuck_whatever_breaks(capsys, seconds, behind_pooler):
    if behind_pooler:
        pooler.need()
    lines = []
    # Not tmp_path: the servers may run as another user, who has to get through.
    with TemporaryDirectory(prefix="chaos-") as folder:
        seed = secrets.randbelow(2**31)
        result = run(Run(Path(folder), seconds=seconds, seed=seed, behind_pooler=behind_pooler, say=lines.append))
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert not result.broken
    assert f"strangers had {CONNECTIONS} of {CONNECTIONS} connections" in lines
