"""JSON text is indented without changing a character of its values."""

import json

import pytest

from inbox.admin_pages.indent import indented


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "0", '""', '"[{"', '{"a": {}, "b": [[]]}', '{"a": [1, {"b": null}], "c": true}', '[[], "\\\\"]'],
)
def test_a_json_text_is_indented_as_is_usual(text):
    assert indented(text, 1000) == json.dumps(json.loads(text), indent=2)


@pytest.mark.parametrize("text", ["[" * 3000 + "]" * 3000, '"%s"' % ("x" * 1_000_000)])
def test_a_text_that_indentation_makes_endless_stays_as_it_is(text):
    assert indented(text, 1_000_000) == text
