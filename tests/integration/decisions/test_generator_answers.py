"""Each answer of the JSON Generator decides about its job; silence, rubbish and a closed port do too."""

import time

import pytest

from decisions.generator.client import MOST_TEXT, ask
from decisions.pretend.behaviour import Behaviour
from inbox.models import InboxJob, SourcePause
from tests.support.generator import POLLER, REQUEST, answering, fresh, jobs, work
from tests.support.rows import tracking_id

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_generator")]


@pytest.mark.parametrize(
    ("behaviour", "status", "kind"),
    [
        (200, "DONE", None),
        (202, "DONE", None),
        (204, "DONE", None),
        (301, "DEAD", "Refused"),
        (304, "DEAD", "Refused"),
        (400, "DEAD", "Refused"),
        (401, "DEAD", "Refused"),
        (404, "DEAD", "Refused"),
        (409, "DEAD", "Refused"),
        (422, "DEAD", "Refused"),
        (408, "FAILED", "Http408"),
        (425, "FAILED", "Http425"),
        (429, "FAILED", "Http429"),
        (500, "FAILED", "Http500"),
        (502, "FAILED", "Http502"),
        (503, "FAILED", "Http503"),
        (Behaviour.ACCEPT, "DONE", None),
        (Behaviour.TWICE, "DONE", None),
        (Behaviour.REJECT, "DEAD", "Refused"),
        (Behaviour.REDIRECT, "DEAD", "Refused"),
        (Behaviour.FLOOD, "DEAD", "Refused"),
        (Behaviour.FAIL, "FAILED", "Http503"),
        (Behaviour.HANG, "FAILED", "Timeout"),
        (Behaviour.LATE, "FAILED", "Timeout"),
        (Behaviour.DRIP, "FAILED", "Timeout"),
        (Behaviour.DRIP_HEAD, "FAILED", "Timeout"),
        (Behaviour.DROP, "FAILED", "ConnectionBroken"),
        (Behaviour.SILENT_DROP, "FAILED", "ConnectionBroken"),
    ],
)
def test_an_answer_decides_about_the_job(generator, behaviour, status, kind):
    generator(behaviour, drip_every_s=0.05)
    [asked] = jobs(1)
    work()
    ended = fresh(asked)
    assert (ended.status, ended.error_kind, ended.attempt_count) == (status, kind, 1)
    assert len(ended.errors) == (kind is not None)
    assert not SourcePause.objects.exists()


@pytest.mark.parametrize("behaviour", [Behaviour.DRIP, Behaviour.DRIP_HEAD])
def test_the_deadline_holds_against_a_server_that_drips(generator, behaviour):
    generator(behaviour, drip_every_s=0.05)
    began = time.monotonic()
    outcome = ask(REQUEST)
    assert 0.7 < time.monotonic() - began < 2
    assert outcome.text == "no complete answer within 0.8 s (JSON_GENERATOR_TOTAL_TIMEOUT)"


def test_silence_ends_earlier(generator, settings):
    settings.JSON_GENERATOR_TOTAL_TIMEOUT = 60
    generator(Behaviour.HANG)
    began = time.monotonic()
    assert ask(REQUEST).text == "nothing received for 0.3 s (JSON_GENERATOR_READ_TIMEOUT)"
    assert time.monotonic() - began < 2


def test_no_redirect_is_followed(generator):
    served = generator(Behaviour.REDIRECT)
    outcome = ask(REQUEST)
    assert outcome.text.startswith("the JSON Generator answered 307, a redirect, which is not followed")
    assert len(served.requests) == 1


def test_what_a_refusal_says_is_kept_on_one_line_and_short(generator):
    generator(Behaviour.REJECT, Behaviour.FLOOD)
    outcome = ask(REQUEST)
    assert (outcome.text, outcome.said) == ("the JSON Generator answered 422", '{"error": "no such decision"}')
    flooded = ask(REQUEST)
    assert flooded.text == "the JSON Generator answered 400"
    assert flooded.said.startswith("too much too much")
    assert len(flooded.said) <= MOST_TEXT


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", None),
        (b"  \r\n ", None),
        (b"a\r\nb\tc\x00d\x1b[31m", "a b c d [31m"),
        (b"\xff\xfe\xed\xa0\x80", "�����"),
        ("Prüfung ‮".encode(), "Prüfung"),
        (b"x" * 1000, "x" * 499 + "…"),
    ],
)
def test_any_text_of_an_answer_can_be_stored_and_shown(settings, body, kept):
    with answering(body) as settings.JSON_GENERATOR_BASE_URL:
        [asked] = jobs(1)
        work()
    ended = fresh(asked)
    assert (ended.status, ended.last_error) == ("DEAD", "the JSON Generator answered 400")
    assert ended.errors[-1].get("said") == kept


def test_nothing_of_a_case_is_logged(generator, caplog):
    generator(Behaviour.REJECT, Behaviour.FAIL, Behaviour.HANG)
    jobs(3)
    with caplog.at_level("INFO"):
        work(concurrency=1)
    assert str(tracking_id(1)) not in caplog.text
    assert "no such decision" not in caplog.text


def test_a_refused_connection_pauses_and_costs_no_attempt(settings, closed_port):
    settings.JSON_GENERATOR_BASE_URL = f"http://127.0.0.1:{closed_port}"
    jobs(3)
    work()
    assert set(InboxJob.objects.values_list("status", "attempt_count", "error_kind")) == {("NEW", 0, None)}
    reason = SourcePause.objects.get(source="json_generator").reason
    assert reason == f"no connection to 127.0.0.1:{closed_port}: [Errno 111] Connection refused"


def test_an_address_that_is_not_set_pauses_with_that_reason(settings, run_command):
    settings.JSON_GENERATOR_BASE_URL = ""
    jobs(2)
    code, out, err = run_command(POLLER, "--drain", JSON_GENERATOR_BASE_URL="")
    assert code == 0, err
    assert "Left: 2 NEW generate_payload jobs: json_generator is paused: JSON_GENERATOR_BASE_URL is not set" in out
    assert SourcePause.objects.get().reason == "JSON_GENERATOR_BASE_URL is not set"
    code, out, err = run_command("inbox_status", "--check")
    assert "json_generator has been paused since" in out or "no run_clinical_ops_poller is running" in out
