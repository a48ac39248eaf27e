"""Logs: one line per event, allowed keys only, and nothing of what an exception says of a message."""

import logging

import structlog

from tests.support.log_lines import lines

MARKED = "MARKED-value"


def test_an_event_is_one_line_of_json():
    with lines() as told:
        structlog.get_logger("inbox.test").warning("it happened", jobs=3, source="integration")
    [line] = told
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "it happened",
        "jobs": 3,
        "source": "integration",
        "level": "warning",
        "logger": "inbox.test",
    }


def test_for_people_it_is_a_line_of_text():
    with lines("human") as told:
        structlog.get_logger("inbox.test").warning("it happened", jobs=3, reason="two\nlines\x1b[2J")
    [line] = told
    assert line.endswith("WARNING inbox.test: it happened; jobs: 3; reason: two lines [2J")


def test_a_key_that_is_not_allowed_is_left_out_and_named():
    with lines() as told:
        structlog.get_logger("inbox.test").warning("it happened", beneficiary=MARKED, job=1)
    assert (told[0]["job"], told[0]["left_out"]) == (1, ["beneficiary"])
    assert MARKED not in str(told)


def test_an_exception_is_told_by_its_class_and_places():
    def parse(value):
        raise ValueError(value)

    with lines() as told:
        try:
            parse(MARKED)
        except ValueError:
            structlog.get_logger("inbox.test").exception("it broke")
            logging.getLogger("somebody.else").exception("failed with %s", MARKED)
    ours, theirs = told
    assert ours["kind"] == theirs["kind"] == "ValueError"
    assert [place.split(":")[0] for place in ours["places"]] == [__name__, __name__]
    assert theirs["event"] == "failed with %s"
    assert MARKED not in str(told)
    assert "Traceback" not in str(told)


def test_a_foreign_text_that_is_no_template_is_not_quoted():
    with lines() as told:
        logging.getLogger("somebody.else").warning(f"got {MARKED}")
        logging.getLogger("somebody.else").warning(ValueError(MARKED))
    assert MARKED not in str(told)


def test_of_a_request_the_page_is_told_and_not_what_was_asked(client):
    with lines() as told:
        client.get(f"/admin/{MARKED}/?q={MARKED}"), client.get(f"/{MARKED}")
    assert [(line["event"], line.get("page"), line["status_code"]) for line in told] == [
        ("%s: %s", None, 404),
    ]
    assert MARKED not in str(told)
