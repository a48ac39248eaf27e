"""Whatever JSON arrives: it is an intake or a BadMessage, never another exception."""

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from inbox.registry import LockedJob
from packets.intake.apply import _as_json
from packets.intake.parse import Intake, parse_intake
from packets.messages import Message
from packets.values import BadMessage
from tests.support.rows import document, esmd, tracking_id

CASE = tracking_id(1)
KEYS = [
    *("message_type", "messageType", "decision_tracking_id", "decisionTrackingId", "packet_id", "packetId"),
    *("submission_metadata", "submissionMetadata", "creationTime", "creation_time", "documents", "ocr", "fields"),
    *("ingest_data", "ingestData", "raw_payload", "rawPayload", "esmd_transaction_id", "esmdTransactionId", "value"),
    *("Submitted Date", "Submission Type", "Beneficiary First Name", "Facility Provider NPI"),
    *("document_unique_id", "documentUniqueIdentifier", "file_name", "mimeType", "fileSize", "file_size", "blob_path"),
]
KNOWN_VALUES = [
    *(str(CASE), CASE.hex, f"{{{CASE}}}", "Portal", "Fax", "ingest_file_package", "urgent", "../x", "%2e%2e/x"),
    *("0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-29", "2031-02-03T04:05:06Z"),
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**250, max_value=10**1100),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.sampled_from(KNOWN_VALUES),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text()), inner, max_size=8)
    ),
    max_leaves=40,
)
# Purely random objects hardly ever get past the metadata, so half of them begin as a good payload.
payloads = st.one_of(
    json_values,
    st.dictionaries(st.sampled_from(KEYS), json_values, max_size=6).map(lambda keys: esmd(CASE, **keys)),
    st.dictionaries(st.sampled_from(KEYS), json_values, max_size=4).map(
        lambda keys: esmd(CASE, documents=[document(**keys)])
    ),
    st.dictionaries(st.sampled_from(KEYS), scalars.map(lambda value: {"value": value})).map(
        lambda fields: esmd(CASE, ocr={"fields": fields})
    ),
)
times = st.one_of(
    st.none(),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([datetime(9999, 12, 29, 23, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC)]),
)
channels = st.one_of(st.none(), st.sampled_from([0, 1, 2, 3, 7, -1, 2**63 - 1]))


def parse(payload, channel_type_id=None, created_at=None, case=CASE):
    job = LockedJob(1, 1, 1, "intake", case, channel_type_id, created_at, 1, 0.0)
    return parse_intake(Message(job, payload)), job


@settings(max_examples=600, deadline=None)
@given(payloads, channels, times)
def test_any_json_is_an_intake_or_a_bad_message(payload, channel_type_id, created_at):
    try:
        intake, job = parse(payload, channel_type_id, created_at)
    except BadMessage:
        return
    assert isinstance(intake, Intake)
    assert len(json.loads(_as_json([(job, intake)]))) == 1


def test_a_deeply_nested_value_where_another_is_expected_does_not_matter():
    deep: object = "FAKE"
    for _ in range(900):
        deep = {"value": [deep]}
    intake, _ = parse(esmd(CASE, ocr=deep, message_type=deep, extra=deep))
    assert intake.beneficiary_first_name is None
