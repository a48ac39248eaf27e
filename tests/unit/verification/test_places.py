"""Where rows stand in the code is read from the code."""

import pytest

from tests.support.project import PROJECT
from verification.report.places import NoSuchPlace, find_place
from verification.rows import ROWS

CODE = sorted({code for row in ROWS for code in row.code})


@pytest.mark.parametrize("code", CODE)
def test_what_a_row_names_is_there(code):
    place = find_place(code)
    line = (PROJECT / place.path).read_text().splitlines()[place.line - 1]
    assert not place.name or place.name == code.partition(":")[0] or place.name.split(".")[-1] in line


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_each_row_names_where_it_stands(row):
    assert row.code


@pytest.mark.parametrize(
    ("code", "path", "begins"),
    [
        ("inbox.engine.claim:claim", "inbox/engine/claim.py", "def claim("),
        ("inbox.engine.claim:MARK_CLAIMED", "inbox/engine/claim.py", "MARK_CLAIMED = "),
        ("inbox.models.job:JobQuerySet.held", "inbox/models/job.py", "    def held("),
        ("verification.row:Row.settings", "verification/row.py", "    settings: "),
        ("inbox.engine.claim", "inbox/engine/claim.py", '"""'),
        ("inbox.engine", "inbox/engine/__init__.py", ""),
    ],
)
def test_a_place_is_found(code, path, begins):
    place = find_place(code)
    assert place.path == path
    lines = (PROJECT / path).read_text().splitlines() or [""]
    assert lines[place.line - 1].startswith(begins)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("inbox.engine.nothing:claim", "there is no module inbox.engine.nothing"),
        ("nothing.at_all:claim", "there is no module nothing.at_all"),
        ("inbox.engine.claim:no_such_name", "defines no no_such_name"),
        ("inbox.models.job:JobQuerySet.no_such_method", "defines no no_such_method"),
        ("inbox.engine.claim:connection", "defines no connection"),
    ],
)
def test_a_name_that_is_not_there_is_an_error(code, names):
    with pytest.raises(NoSuchPlace, match=names):
        find_place(code)
