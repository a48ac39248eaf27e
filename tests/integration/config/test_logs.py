"""Logs: one line per event, allowed keys only, and nothing of what an exception says of a message."""

import json
import logging
import subprocess
import sys

import psycopg
import pytest
import structlog
from django.db import DataError, IntegrityError, OperationalError, connection

from inbox.db.storable import OwnText, error_text, places
from tests.support.log_lines import lines
from tests.support.project import PROJECT, manage
from tests.support.rows import esmd, send, tracking_id

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


@pytest.mark.django_db
def test_of_a_request_the_page_is_told_and_not_what_was_asked(client):
    with lines() as told:
        client.get(f"/admin/{MARKED}/?q={MARKED}"), client.get(f"/{MARKED}")
    assert [(line["event"], line.get("page"), line["status_code"]) for line in told] == [
        ("%s: %s", None, 404),
    ]
    assert MARKED not in str(told)


class Ours(OwnText):
    pass


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        (f"SELECT '{MARKED}'::int", 'invalid input syntax for type integer: "…" (SQLSTATE 22P02)'),
        (f"SELECT 'a\"{MARKED}\"b'::int", 'invalid input syntax for type integer: "…" (SQLSTATE 22P02)'),
        (
            f"SELECT '{MARKED}\n'::timestamptz",
            'invalid input syntax for type timestamp with time zone: "…" (SQLSTATE 22007)',
        ),
        (f"SELECT '{{\"{MARKED}'::jsonb", "invalid input syntax for type json (SQLSTATE 22P02)"),
        ("SELECT 1 / 0", "division by zero (SQLSTATE 22012)"),
        (
            f"INSERT INTO inbox_audit (who, verb, reason, object) VALUES ('{MARKED}', '', NULL, '')",
            'null value in column "reason" of relation "inbox_audit" violates not-null constraint (SQLSTATE 23502)',
        ),
    ],
)
def test_of_a_database_error_the_first_line_is_kept_without_values(sql, kept):
    with pytest.raises((DataError, IntegrityError)) as caught, connection.cursor() as cursor:
        cursor.execute(sql)
    assert error_text(caught.value) == kept


def test_texts_of_ours_and_of_the_connection_are_kept():
    assert error_text(Ours("its 3 outcomes")) == "its 3 outcomes"
    assert error_text(OperationalError("no route to host")) == "no route to host"
    assert error_text(psycopg.OperationalError("too many clients")) == "too many clients"


@pytest.mark.parametrize("error", [ValueError(MARKED), KeyError(MARKED), DataError(MARKED), psycopg.DataError(MARKED)])
def test_any_other_text_is_not_kept(error):
    assert error_text(error) == f"{type(error).__name__}; its own text is not kept: it may quote a message"
    with pytest.raises(type(error)) as caught:
        raise error
    assert error_text(caught.value).startswith(f"{type(error).__name__} at {__name__}:")
    assert places(caught.value)[-1].startswith(__name__)


CRASH = """
import sys; sys.argv = ["manage.py", "shell", "--no-imports", "-c", "raise ValueError('MARK' + 'ED-value')"]
import manage; manage.main()
"""


def test_a_process_that_ends_by_a_bug_tells_no_values():
    environment = {"SECRET_KEY": "x", "DATABASE_URL": "postgresql://user@localhost/x", "READ_DOT_ENV": "off"}
    environment["LOG_FORMAT"] = "json"
    done = subprocess.run(
        [sys.executable, "-c", CRASH],
        cwd=PROJECT,
        env=environment | {"LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    line = json.loads(done.stderr)
    assert (line["event"], line["kind"], line["level"]) == ("uncaught exception", "ValueError", "critical")
    assert MARKED not in done.stderr


def test_a_wrong_format_names_what_it_takes():
    code, out, err = manage("check", SECRET_KEY="x", DEBUG="on", LOG_FORMAT="xml")
    assert code == 1
    assert "LOG_FORMAT is 'xml', but it takes one of human, json." in err


@pytest.mark.django_db(transaction=True)
def test_a_worker_says_what_it_does_in_json(run_command):
    send(esmd(), tracking_id(1))
    code, out, err = run_command("run_inbox_worker", "--drain", LOG_FORMAT="json", LOG_LEVEL="DEBUG")
    assert code == 0, err
    events = [json.loads(line) for line in err.splitlines()]
    assert [event["event"] for event in events] == [
        "worker registered",
        "rows ingested",
        "jobs claimed",
        "batch finished",
        "worker stopped",
    ]
    assert (events[3]["source"], events[3]["jobs"], events[3]["done"]) == ("integration", 1, 1)
