"""The JSON Generator's client turns broken hosts and answers into outcomes."""

import socket
from threading import Thread

from decisions.generator.client import ask
from inbox.outcomes import Verdict
from tests.support.generator import REQUEST, answering


def test_a_reset_is_tried_again(settings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.JSON_GENERATOR_BASE_URL = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.settimeout(10)

        def reset():
            met, _ = listener.accept()
            met.recv(1)
            met.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            met.close()

        thread = Thread(target=reset)
        thread.start()
        outcome = ask(REQUEST)
        thread.join()
    assert (outcome.verdict, outcome.kind) == (Verdict.RETRY, "ConnectionBroken")


def test_packed_text_is_not_unpacked(settings):
    head = b"HTTP/1.1 400 Bad\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    with answering(b"\x1f\x8b rubbish", head) as settings.JSON_GENERATOR_BASE_URL:
        outcome = ask(REQUEST)
        assert (outcome.text, outcome.said) == ("the JSON Generator answered 400", None)


def test_what_is_no_http_is_tried_again(settings):
    with answering(b"", b"SSH-2.0-rubbish\r\n") as settings.JSON_GENERATOR_BASE_URL:
        assert ask(REQUEST).kind == "ConnectionBroken"


def test_a_host_without_an_address_pauses(settings):
    settings.JSON_GENERATOR_BASE_URL = "http://user:secret@no-such-host.invalid"
    outcome = ask(REQUEST)
    assert outcome.verdict is Verdict.NOT_THERE
    assert outcome.text.startswith("no connection to no-such-host.invalid: [Errno ")
    assert "secret" not in outcome.text


def test_a_host_that_does_not_answer_a_connect_pauses(settings):
    """Its queue of connections is full, so it is as silent as one that is switched off."""
    settings.JSON_GENERATOR_CONNECT_TIMEOUT = 0.3
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for stranger in (first, second):
            stranger.setblocking(False)
            stranger.connect_ex(address)
        settings.JSON_GENERATOR_BASE_URL = f"http://127.0.0.1:{address[1]}"
        assert ask(REQUEST).verdict is Verdict.NOT_THERE
