"""Rows as ClinicalOps and the JSON Generator write them, by plain SQL."""

import json
from typing import Any

from django.db import connection

from tests.support.rows import tracking_id

SOURCE = "clinical_decision"


def decision(indicator: Any = "A", **fields) -> dict:
    """A decision as ClinicalOps writes it: A affirms, N does not."""
    return {
        "source": "clinical_ops_ddms",
        "claim_id": 1,
        "timestamp": "2031-02-04T00:00:00",
        "decision_status": "FAKE",
        "decision_indicator": indicator,
        "failed_reason_data": None,
    } | fields


def payload(indicator: Any = "A", **fields) -> dict:
    """A payload for CMS as the JSON Generator writes it."""
    procedure = {"procedureCode": "00000", "decisionIndicator": indicator, "mrCountUnitOfService": "1"}
    return {"partType": "B", "esmdTransactionId": "TXN-FAKE-0001", "procedures": [procedure]} | fields


def write(number: int = 1, **columns) -> int:
    """Insert a row; returns its message_id. Objects become JSON."""
    columns = {"decision_tracking_id": tracking_id(number)} | columns
    values = [json.dumps(value) if isinstance(value, dict | list) else value for value in columns.values()]
    names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO service_ops_send_serviceops ({names}) VALUES ({places}) RETURNING message_id", values
        )
        return cursor.fetchone()[0]


def rewrite(message_id: int, **columns) -> None:
    """Change a row by a plain UPDATE, as its writers do."""
    values = [json.dumps(value) if isinstance(value, dict | list) else value for value in columns.values()]
    changes = ", ".join(f"{name} = %s" for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE service_ops_send_serviceops SET {changes} WHERE message_id = %s", [*values, message_id])


def write_decision(number: int = 1, indicator: Any = "A", **columns) -> int:
    """Insert a row with a decision; returns its message_id."""
    return write(number, clinical_ops_decision_json=decision(indicator), **columns)


def write_payload(number: int = 1, indicator: Any = "A", **columns) -> int:
    """Insert a row with a payload that was sent; returns its message_id."""
    return write(number, json_sent_to_integration=True, payload=payload(indicator), **columns)
