"""How fast each handler works through its messages, in one run and one process.

    .venv/bin/python -m benchmarks.handlers [--cases 4000] [--batch 200] [--kilobytes 2]

Every case goes from intake to letter request, one stage at a time: an intake, a clinical answer, a generated payload of
`--kilobytes`, a UTN. `claim` is the time to claim a batch, `work` the time from its locks to its COMMIT: effects,
history, wakes and DONE. No request is sent to the generator.
"""

import json
import statistics
import time

from benchmarks import database

DATABASE = "serviceops_bench_handlers"

INTAKE = """
INSERT INTO integration_send_serviceops (decision_tracking_id, payload)
SELECT md5(n::text)::uuid, jsonb_build_object(
         'message_type', 'ingest_file_package', 'decision_tracking_id', md5(n::text)::uuid,
         'submission_metadata', jsonb_build_object('esmd_transaction_id', 'TXN-FAKE-' || n),
         'documents', jsonb_build_array(
             jsonb_build_object('documentUniqueIdentifier', 'DOC-FAKE-1', 'fileName', 'a.pdf',
                                'mimeType', 'application/pdf'),
             jsonb_build_object('documentUniqueIdentifier', 'DOC-FAKE-2', 'fileName', 'b.pdf',
                                'mimeType', 'application/pdf')))
  FROM generate_series(1, %(cases)s) AS n
"""
ANSWER = """
INSERT INTO service_ops_send_serviceops (decision_tracking_id, clinical_ops_decision_json)
SELECT md5(n::text)::uuid, %(answer)s FROM generate_series(1, %(cases)s) AS n
"""
PAYLOAD = """
INSERT INTO service_ops_send_serviceops (decision_tracking_id, json_sent_to_integration, payload)
SELECT md5(n::text)::uuid, true, %(payload)s FROM generate_series(1, %(cases)s) AS n
"""
UTN = """
INSERT INTO integration_send_serviceops (decision_tracking_id, payload)
SELECT md5(n::text)::uuid, jsonb_build_object('message_type', 'UTN', 'decision_tracking_id', md5(n::text)::uuid,
                                              'unique_tracking_number', 'UTN-FAKE-' || n)
  FROM generate_series(1, %(cases)s) AS n
"""
STAGES = {
    "intake": ("integration", INTAKE),
    "clinical answer": ("clinical_decision", ANSWER),
    "payload": ("generated_payload", PAYLOAD),
    "UTN": ("integration", UTN),
}


def main() -> None:
    options = database.options(__doc__, cases=4000, batch=200, kilobytes=2)
    procedure = {"procedureCode": "00000", "decisionIndicator": "A", "mrCountUnitOfService": "1"}
    payload = {
        "partType": "B",
        "esmdTransactionId": "TXN-FAKE-0001",
        "procedures": [procedure],
        "padding": "x" * options.kilobytes * 1024,
    }
    values = {
        "cases": options.cases,
        "answer": json.dumps({"claim_id": 1, "decision_indicator": "A"}),
        "payload": json.dumps(payload),
    }
    print(f"{options.cases:,} cases in batches of {options.batch}, ms; {database.noise()}")
    print(f"{'stage':<17}{'claim p50':>10}{'work p50':>10}{'p95':>7}{'jobs/s':>9}{'x intake':>10}", flush=True)
    with database.scratch(DATABASE):
        database.use(DATABASE)
        first = None
        for stage, (source, sql) in STAGES.items():
            claims, works = _stage(source, sql, values, options.batch)
            per_second = options.cases / (sum(claims) + sum(works)) * 1000
            first = first or per_second
            print(
                f"{stage:<17}{statistics.median(claims):>10.1f}{statistics.median(works):>10.1f}"
                f"{database.percentile(works, 95):>7.0f}{per_second:>9,.0f}{per_second / first:>10.2f}",
                flush=True,
            )


def _stage(name: str, sql: str, values: dict, batch: int) -> tuple[list[float], list[float]]:
    """The times of all claims, and of the work on each, in ms."""
    from django.db import connection

    from inbox import registry
    from inbox.engine.claim import claim
    from inbox.engine.ingest import ingest
    from inbox.engine.work import work

    source = registry.source(name)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        cursor.execute("VACUUM ANALYZE")
    while ingest(source).count:
        pass
    claims, works, done = [], [], 0
    while True:
        began = time.perf_counter()
        claimed = claim(source, worker_id="bench", limit=batch)
        if not claimed:
            break
        claimed_at = time.perf_counter()
        done += work(claimed).done
        claims.append((claimed_at - began) * 1000)
        works.append((time.perf_counter() - claimed_at) * 1000)
    assert done == values["cases"], f"{name}: {done} done of {values['cases']}"
    return claims, works


if __name__ == "__main__":
    main()
