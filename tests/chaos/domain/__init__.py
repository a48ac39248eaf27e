"""The traffic of the whole domain beside the witness messages, and what must hold of it.

contents.py    messages, good and garbage, and what the rules should read in them
record.py      writes a source row together with the record of what it says
neighbours.py  Integration and ClinicalOps, as threads
staff.py       people and operators, in processes of their own (manage.py chaos_staff)
generator.py   the JSON Generator, in a process of its own (manage.py chaos_generator)
invariants.py  what must hold at any moment and at the end, in SQL
account.py     what the rules say of all that was said, against what became of each case
"""

import random
import socket
from pathlib import Path

import psycopg

from tests.chaos.domain import neighbours
from tests.chaos.producers import Producer

SCHEMA = Path(__file__).with_name("schema.sql")
POLLERS = 2
STAFF = 2
GENERATOR_TIMES = {
    "JSON_GENERATOR_CONNECT_TIMEOUT": "1",
    "JSON_GENERATOR_READ_TIMEOUT": "1",
    "JSON_GENERATOR_TOTAL_TIMEOUT": "2",
}
# The counts of a slice of a campaign, in words for its table.
COUNT = """
SELECT CASE WHEN content IS NULL THEN 'broken messages of the domain'
            ELSE '{"intake": "intakes", "clinical": "clinical answers", "payload": "generated payloads",
                   "utn": "UTNs and failures"}'::jsonb ->> kind END, count(*)
  FROM chaos_said GROUP BY 1
UNION ALL SELECT 'decisions of people, second clicks included', count(*) FROM chaos_click
UNION ALL SELECT 'requests to the JSON Generator', count(*) FROM chaos_request
 ORDER BY 1
"""


def set_up(url: str) -> None:
    """Add the tables of the record to a migrated database."""
    with psycopg.connect(url) as connection:
        connection.execute(SCHEMA.read_text())


def environment() -> dict[str, str]:
    """The settings of all processes of a run: where the JSON Generator will be, and how long to wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return {"JSON_GENERATOR_BASE_URL": f"http://127.0.0.1:{port}", **GENERATOR_TIMES}


def commands(seed: int) -> dict[tuple[str, ...], int]:
    """The manage.py commands that must be kept alive, and how many of each."""
    return {
        ("run_clinical_ops_poller",): POLLERS,
        ("chaos_staff", "--seed", str(seed)): STAFF,
        ("chaos_generator", "--seed", str(seed)): 1,
    }


def traffic(url: str, seed: int) -> list[Producer]:
    """The threads that write; none of them is started."""
    cases = neighbours.Cases()
    return [neighbours.Integration(url, seed, cases), neighbours.ClinicalOps(url, seed + 1, cases)]


def counts(connection: psycopg.Connection) -> dict[str, int]:
    """How many messages of each kind were written, and what people and the JSON Generator had to do."""
    return dict(connection.execute(COUNT).fetchall())


def bring_everything(url: str, seed: int) -> None:
    """Give each case what its messages may still wait for; by the address of the server itself."""
    neighbours.bring_everything(url, random.Random(seed))
