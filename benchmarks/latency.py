"""The time from the COMMIT of a source row to the COMMIT of its packet, with real idle workers, in one run.

    .venv/bin/python -m benchmarks.latency [--seconds 20] [--rate 50] [--processes 2]

A client commits one esMD intake at a time, `--rate` a second. A trigger of this benchmark notifies of each packet, and
PostgreSQL delivers notifications at COMMIT. Both moments are read from the clock of this process. The parts come from
the database's clock: until ingest begins, until the claim, until DONE is written. The rest is the last COMMIT.
"""

import json
import threading
import time
from typing import Any
from uuid import uuid4

from benchmarks import database
from benchmarks.processes import run_workers

DATABASE = "serviceops_bench_latency"
WARM_UP = 100
# A message without a packet so long after the last COMMIT is missing.
PATIENCE_S = 10

TELL = """
CREATE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bench', NEW.decision_tracking_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER bench_tell AFTER INSERT ON packet FOR EACH ROW EXECUTE FUNCTION bench_tell();
"""
SEND = "INSERT INTO integration_send_serviceops (decision_tracking_id, payload) VALUES (%s, %s)"
PARTS = """
SELECT extract(epoch FROM job.created_at - s.created_at) * 1000,
       extract(epoch FROM job.started_at - job.created_at) * 1000,
       extract(epoch FROM job.finished_at - job.started_at) * 1000
  FROM integration_inbox AS job JOIN integration_send_serviceops AS s USING (message_id)
 WHERE job.decision_tracking_id = ANY(%s) AND job.status = 'DONE'
"""


def main() -> None:
    options = database.options(__doc__, seconds=20.0, rate=50.0, processes=2)
    print(f"\n{options.rate:g} a second for {options.seconds:g} s, in ms; {database.noise()}")
    print(f"{'workers':<9}{'sent':>6}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}{'missing':>9}", end="")
    print(f"{'ingest':>8}{'claim':>8}{'done':>8}", flush=True)
    for processes in range(1, options.processes + 1):
        with database.scratch(DATABASE) as url, run_workers(url, processes):
            _measure(url, processes, options.rate, int(options.rate * options.seconds))


def _measure(url: str, processes: int, rate: float, count: int) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as client, psycopg.connect(url, autocommit=True) as listener:
        client.execute(TELL)
        listener.execute("LISTEN bench")
        seen: dict[str, float] = {}
        is_over = threading.Event()
        listening = threading.Thread(target=_listen, args=[listener, seen, is_over])
        listening.start()
        try:
            _send(client, rate, WARM_UP)
            sent = _send(client, rate, count)
            until = time.perf_counter() + PATIENCE_S
            while sent.keys() - seen.keys() and time.perf_counter() < until:
                time.sleep(0.05)
        finally:
            is_over.set()
            listening.join()
        took_ms = [(seen[tracking] - at) * 1000 for tracking, at in sent.items() if tracking in seen]
        parts = list(zip(*client.execute(PARTS, [list(sent)]).fetchall(), strict=True))
    figures = [database.percentile(took_ms, percent) for percent in (50, 95, 99)]
    print(f"{processes:<9}{count:>6}" + "".join(f"{figure:>8.1f}" for figure in [*figures, max(took_ms)]), end="")
    print(
        f"{count - len(took_ms):>9}" + "".join(f"{database.percentile(part, 50):>8.1f}" for part in parts), flush=True
    )


def _send(client: Any, rate: float, count: int) -> dict[str, float]:
    """Commit `count` rows at an even rate; return when each COMMIT returned, by tracking id."""
    sent: dict[str, float] = {}
    began = time.perf_counter()
    for number in range(count):
        time.sleep(max(began + number / rate - time.perf_counter(), 0))
        tracking = str(uuid4())
        client.execute(SEND, [tracking, _payload(tracking)])
        sent[tracking] = time.perf_counter()
    return sent


def _payload(tracking: str) -> str:
    metadata = {"creationTime": "2031-02-03T04:05:06.0000000-05:00", "esmd_transaction_id": "TXN-FAKE-1"}
    document = {"documentUniqueIdentifier": "DOC-FAKE-1", "fileName": "request.pdf", "mimeType": "application/pdf"}
    payload = {"message_type": "ingest_file_package", "decision_tracking_id": tracking, "submission_metadata": metadata}
    return json.dumps(payload | {"documents": [document], "padding": "x" * 400})


def _listen(listener: Any, seen: dict[str, float], is_over: threading.Event) -> None:
    while not is_over.is_set():
        for notification in listener.notifies(timeout=0.5):
            seen[notification.payload] = time.perf_counter()


if __name__ == "__main__":
    main()
