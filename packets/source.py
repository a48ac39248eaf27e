"""The source `integration`, and how the type of its messages is found.

message_type_id decides if it is given, else the text. If both are known and differ, the type is unknown.
"""

from inbox.api import ByWatermark, Source, register_source

INTAKE_TEXTS = ("ingest_file_package", "Fax", "Portal")
TYPE_OF_TEXT = {**dict.fromkeys(INTAKE_TEXTS, "intake"), "UTN": "utn_success", "UTN_FAIL": "utn_fail"}
TYPE_OF_ID = {1: "intake", 2: "utn_success", 3: "utn_fail"}


def _when(types: dict, quote: str = "") -> str:
    return " ".join(f"WHEN {quote}{value}{quote} THEN '{name}'" for value, name in types.items())


# ->> never raises, whatever the payload is; an object or a number gives a text that is not known.
# OFFSET 0 makes it read the text once: a payload of 40 MB takes 50 ms to unpack each time.
SAID = "(SELECT coalesce(s.payload ->> 'message_type', s.payload ->> 'messageType') AS text OFFSET 0) AS said"
BY_TEXT = f"CASE said.text {_when(TYPE_OF_TEXT, quote=chr(39))} END"
BY_ID = f"CASE s.message_type_id {_when(TYPE_OF_ID)} END"
MESSAGE_TYPE_SQL = f"""(
    SELECT CASE WHEN s.message_type_id IS NULL AND said.text IS NULL THEN 'intake'
                WHEN s.message_type_id IS NULL THEN coalesce({BY_TEXT}, 'unknown')
                WHEN {BY_TEXT} <> {BY_ID} THEN 'unknown'
                ELSE coalesce({BY_ID}, 'unknown') END
      FROM {SAID}
)"""

INTEGRATION = register_source(
    Source(
        name="integration",
        command="run_inbox_worker",
        reads=ByWatermark(table="integration_send_serviceops", message_type_sql=MESSAGE_TYPE_SQL),
    )
)
