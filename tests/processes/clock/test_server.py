"""The clock of a test's server can be shifted while it runs."""

import time


def test_a_shift_counts_at_once_in_old_and_new_sessions(server):
    with server.connect() as old:
        for seconds in (-1200, 7200, 0):
            server.shift(seconds)
            with server.connect() as new:
                for session in (old, new):
                    now = session.execute("SELECT extract(epoch FROM now())::float8").fetchone()[0]
                    assert abs(now - time.time() - seconds) < 60
