"""Messages that do harm: one that kills each worker that touches it, one of many megabytes."""

import json
from uuid import UUID

from tests.chaos.faults.fault import Fault
from tests.chaos.producers import CASES

LARGEST = 8_000_000


class Killer(Fault):
    name = "killer message"
    does = "a message at which each worker dies by SIGKILL, in the middle of its work"
    weight = 0.5

    def begin(self, monkey):
        _write(monkey, {"kind": "killer"})


class Giant(Fault):
    name = "giant message"
    does = "a message of up to 8 MB"

    def begin(self, monkey):
        # Random, so that it does not become small on its way.
        text = monkey.rng.randbytes(monkey.rng.randint(500_000, LARGEST // 2)).hex()
        _write(monkey, {"kind": "good", "text": text})


def _write(monkey, payload):
    with monkey.stage.connect() as connection:
        # The table may be locked by the monkey itself, who would wait for ever.
        connection.execute("SET lock_timeout = '1s'")
        connection.execute(
            "INSERT INTO chaos_message (message_id, decision_tracking_id, payload) VALUES (%s, %s, %s)",
            [*monkey.ids.take(), UUID(int=monkey.rng.randrange(CASES)), json.dumps(payload)],
        )
