"""Writes payloads of cases as the JSON Generator does: by plain SQL, on a connection of its own."""

import json
import threading

from django.db import connection

# In the row of the decision if it has no payload yet, else in a new row: both occur.
UPDATE_DECISION_ROW = """
UPDATE service_ops_send_serviceops SET json_sent_to_integration = true, payload = %s
 WHERE message_id = (SELECT max(message_id) FROM service_ops_send_serviceops
                      WHERE decision_tracking_id = %s AND clinical_ops_decision_json IS NOT NULL
                        AND json_sent_to_integration IS NULL AND NOT is_deleted)
"""
INSERT_ROW = """
INSERT INTO service_ops_send_serviceops (payload, decision_tracking_id, json_sent_to_integration) VALUES (%s, %s, true)
"""
SELECT_INDICATOR = """
SELECT CASE decision.clinical_decision WHEN 'NON_AFFIRM' THEN 'N' ELSE 'A' END
  FROM packet_decision AS decision JOIN packet USING (packet_id)
 WHERE packet.decision_tracking_id = %s AND decision.is_active
"""


def payload(indicator: str, number: int) -> dict:
    """A payload as the generator makes it, with invented values."""
    procedure = {
        "procedureCode": "00000",
        "decisionIndicator": indicator,
        "mrCountUnitOfService": "1",
        "modifier": "",
        "placeOfService": "11",
        "reviewCodes": [],
        "programCodes": [],
    }
    return {
        "partType": "B",
        "esmdTransactionId": f"TXN-FAKE-{number:04d}",
        "procedures": [procedure],
        "documentation": ["fake/letter.pdf"],
    }


class Rows:
    """Writes rows for any thread, one at a time."""

    def __init__(self) -> None:
        wrapper = connection.copy()
        self._connection = wrapper.get_new_connection(wrapper.get_connection_params())
        self._connection.autocommit = True
        self._lock = threading.Lock()
        self._number = 0

    def write(self, tracking_id: str, *, in_a_new_row: bool = False) -> None:
        """Write a payload of the case."""
        with self._lock:
            self._number += 1
            row = self._connection.execute(SELECT_INDICATOR, [tracking_id]).fetchone()
            values = [json.dumps(payload(row[0] if row else "A", self._number)), tracking_id]
            if in_a_new_row or not self._connection.execute(UPDATE_DECISION_ROW, values).rowcount:
                self._connection.execute(INSERT_ROW, values)

    def close(self) -> None:
        self._connection.close()
