"""Messages of the domain, good and garbage: what is written, and what the rules should read in it."""

import json
import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from packets.samples.breakages import BREAKAGES

ANSWERS = {"A": "AFFIRM", "N": "NON_AFFIRM"}
GIANT = 2_000_000
SHARE_OF_GIANTS = 0.0005


@dataclass(frozen=True)
class Said:
    """Columns of a row, and the `content` that the rules should read in it, with its payload; None is garbage."""

    kind: str
    columns: dict[str, Any]
    content: dict[str, Any] | None


def tracking_id(case: int) -> UUID:
    """The tracking id of a case, which no witness message has."""
    return UUID(f"00000000-0000-4000-8000-{case:012x}")


def intake(rng: random.Random, case: int) -> Said:
    """One document, whose identifier tells this submission from all others."""
    document = {
        "document_unique_identifier": f"DOC-FAKE-{rng.getrandbits(64):016x}",
        "file_name": "test.pdf",
        "mime_type": "application/pdf",
        "file_size": 1024,
        "blob_path": "fake/2031/test.pdf",
    }
    payload = {
        "decision_tracking_id": str(tracking_id(case)),
        "submission_metadata": {
            "creationTime": "2031-02-03T04:05:06-05:00",
            "esmd_transaction_id": f"TXN-FAKE-{case:06d}",
        },
        "documents": [document],
    }
    if rng.random() < SHARE_OF_GIANTS:
        payload["filler"] = rng.randbytes(GIANT // 2).hex()
    columns = {"payload": payload, "channel_type_id": 3, "message_type_id": rng.choice([None, 1])}
    return Said("intake", columns, {"document": document["document_unique_identifier"]})


def broken_intake(rng: random.Random, case: int) -> Said:
    columns = intake(rng, case).columns | {"decision_tracking_id": tracking_id(case)}
    BREAKAGES[rng.choice(list(BREAKAGES))](columns)
    return Said("intake", columns, None)


def utn(rng: random.Random, case: int) -> Said:
    number = f"UTN-FAKE-{case:06d}-{rng.randrange(3)}"
    return _utn(rng, {"unique_tracking_number": number}, {"is_success": True, "utn": number})


def utn_fail(rng: random.Random, case: int) -> Said:
    told = {
        "error_code": f"E-FAKE-{rng.randrange(3)}",
        "error_description": "TEST",
        "action_required": rng.choice([None, "TEST"]),
    }
    return _utn(rng, told, {"is_success": False, **told})


def broken_utn(rng: random.Random, case: int) -> Said:
    return _utn(
        rng, rng.choice([{"unique_tracking_number": []}, {"error_code": None}]), None, rng.choice([True, False])
    )


def _utn(rng, told: dict[str, Any], content: dict[str, Any] | None, is_success: bool | None = None) -> Said:
    is_success = content["is_success"] if content else is_success
    payload = {"message_type": "UTN" if is_success else "UTN_FAIL", **told}
    return Said("utn", {"payload": payload, "message_type_id": rng.choice([None, 2 if is_success else 3])}, content)


def answer(rng: random.Random, case: int, indicator: str | None = None) -> Said:
    indicator = indicator or rng.choice("AAN")
    decision = _decision(rng, case, indicator)
    return Said("clinical", {"clinical_ops_decision_json": decision}, {"answer": ANSWERS[indicator]})


def broken_answer(rng: random.Random, case: int) -> Said:
    decision: Any = rng.choice([None, [], "FAKE", {}, *(_decision(rng, case, odd) for odd in ("a", "X", None, ["A"]))])
    return Said("clinical", {"clinical_ops_decision_json": decision}, None)


def _decision(rng: random.Random, case: int, indicator: Any) -> dict[str, Any]:
    return {
        "source": "clinical_ops_ddms",
        # So that a correction is another content, whatever it says.
        "claim_id": rng.getrandbits(62),
        "decision_status": "FAKE",
        "decision_indicator": indicator,
        "decision_tracking_id": str(tracking_id(case)),
    }


def generated(rng: random.Random, case: int, indicator: str | None = None) -> Said:
    """The payload for CMS of an answer."""
    indicator = indicator or rng.choice("AAN")
    payload = {
        "partType": rng.choice("AB"),
        "esmdTransactionId": f"TXN-FAKE-{case:06d}",
        "procedures": [{"procedureCode": f"{rng.randrange(10**5):05d}", "decisionIndicator": indicator}],
    }
    content = {
        "is_sent": True,
        "answer": ANSWERS[indicator],
        "payload": payload,
        "subtype": "STANDARD_PA",
        "part_type": payload["partType"],
    }
    return Said("payload", {"json_sent_to_integration": True, "payload": payload}, content)


def not_generated(rng: random.Random, case: int) -> Said:
    reason = f"FAKE reason {rng.randrange(3)}"
    columns = {"json_sent_to_integration": False, "payload": {"error": reason}}
    return Said("payload", columns, {"is_sent": False, "error": reason})


def broken_generated(rng: random.Random, case: int) -> Said:
    payload = rng.choice([{}, [], {"partType": "C"}, {"partType": "A", "procedures": []}])
    return Said("payload", {"json_sent_to_integration": True, "payload": payload}, None)


def as_columns(columns: dict[str, Any]) -> dict[str, Any]:
    """The same, with JSON as text."""
    is_json = ("payload", "clinical_ops_decision_json")
    return {name: json.dumps(value) if name in is_json else value for name, value in columns.items()}
