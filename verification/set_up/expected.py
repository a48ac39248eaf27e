"""All that the migrations make, as it is in expected.json: so that nobody needs a second database to compare with.

`python -m tools.expected_set_up` writes the file anew after a migration; a test says when that was forgotten.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verification.set_up.installed import DbObject

FILE = Path(__file__).with_name("expected.json")

# The rights of one role, by object ("table packet"): such as "SELECT" and "UPDATE (message_status_id)".
Rights = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Expected:
    """The objects by their names, and the rights that `sql_grants` gives, by group: "worker"."""

    objects: dict[str, DbObject]
    rights: Mapping[str, Rights]


def load() -> Expected:
    """The content of expected.json."""
    data = json.loads(FILE.read_text())
    objects = {
        name: DbObject(name, entry["table"], "\n".join(entry["definition"])) for name, entry in data["objects"].items()
    }
    return Expected(objects, data["rights"])


def as_text(objects: Mapping[str, DbObject], rights: Mapping[str, Rights]) -> str:
    """The text of expected.json."""
    entries = {
        name: {"table": one.table, "definition": one.definition.splitlines()} for name, one in sorted(objects.items())
    }
    return json.dumps({"objects": entries, "rights": rights}, indent=1, sort_keys=True) + "\n"
