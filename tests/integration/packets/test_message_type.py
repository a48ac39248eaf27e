"""The type of a message of Integration: message_type_id decides, then the text; if they contradict, it is unknown."""

import pytest

from tests.support.drain import ingest_all, job_of
from tests.support.rows import send, tracking_id

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("message_type_id", "payload", "message_type"),
    [
        (None, {"message_type": "UTN"}, "utn_success"),
        (None, {"messageType": "UTN"}, "utn_success"),
        (None, {"message_type": "UTN_FAIL"}, "utn_fail"),
        (2, {"message_type": "UTN"}, "utn_success"),
        (3, {"message_type": "UTN_FAIL"}, "utn_fail"),
        (2, {}, "utn_success"),
        (3, {"message_type": None}, "utn_fail"),
        (2, {"message_type": "FAKE"}, "utn_success"),
        (3, ["FAKE"], "utn_fail"),
        (2, {"message_type": "UTN_FAIL"}, "unknown"),
        (3, {"message_type": "UTN"}, "unknown"),
        (2, {"message_type": "Fax"}, "unknown"),
        (1, {"message_type": "UTN_FAIL"}, "unknown"),
        (1, {"message_type": "FAKE"}, "intake"),
        (1, {"messageType": "Portal"}, "intake"),
        (None, {"messageType": "Portal"}, "intake"),
        (None, {"messageType": "Fax"}, "intake"),
        (None, {"message_type": "ingest_file_package"}, "intake"),
        (None, {"message_type": None, "messageType": "UTN"}, "utn_success"),
        (None, {}, "intake"),
        (None, ["UTN"], "intake"),
        (None, {"message_type": "FAKE"}, "unknown"),
        (None, {"message_type": ""}, "unknown"),
        (None, {"message_type": ["UTN"]}, "unknown"),
        (0, {"message_type": "UTN"}, "unknown"),
        (7, {"message_type": "UTN"}, "unknown"),
        (-1, {}, "unknown"),
    ],
    ids=str,
)
def test_the_id_decides_then_the_text(message_type_id, payload, message_type):
    message_id = send(payload, tracking_id(1), message_type_id=message_type_id)
    ingest_all()
    assert job_of(message_id).message_type == message_type
