"""Decision versions that need a payload, their jobs, and servers that stand in for the JSON Generator."""

import signal
import socket
from contextlib import contextmanager
from threading import Thread
from uuid import uuid4

from decisions.generator.client import Request
from decisions.models import PacketDecision
from inbox import registry
from inbox.models import InboxJob
from inbox.worker.loop import Worker
from packets.models import Packet
from tests.support.outbound import statuses
from tests.support.rows import job, tracking_id

REQUEST = Request(tracking_id(1), "payload-1")
POLLER = "run_clinical_ops_poller"


def decision(number, **fields):
    """An active version with a clinical answer, of a packet of its own."""
    packet, _ = Packet.objects.get_or_create(decision_tracking_id=tracking_id(number), defaults={"channel_type_id": 3})
    defaults = {"decision_type": "APPROVE", "clinical_decision": "AFFIRM", "correlation_id": uuid4(), "created_by": "t"}
    made = PacketDecision.objects.create(packet=packet, **defaults | fields)
    made.refresh_from_db()
    return made


def superseded(number, **fields):
    """A version that is no longer active."""
    old = decision(number, **fields)
    PacketDecision.objects.filter(pk=old.pk).update(is_active=False)
    return old


def job_for(version):
    """The job that asks for the payload of a version."""
    return job(
        source="json_generator",
        message_type="generate_payload",
        message_id=version.pk,
        decision_tracking_id=version.packet.decision_tracking_id,
    )


def jobs(count):
    """Jobs of so many cases, one each."""
    return [job_for(decision(number)) for number in range(1, count + 1)]


def work(**options):
    """Claim once and finish the calls, as the poller does."""
    source = registry.source("json_generator")
    Worker(sources=[source], worker_id="test", batch_size=200, poll_interval_s=0.05, **options).once()


def fresh(one):
    """The job as it is now."""
    return InboxJob.objects.get(pk=one.pk)


@contextmanager
def answering(body, head=b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n"):
    """A server that gives one answer, byte for byte; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def answer():
            met, _ = listener.accept()
            with met:
                met.recv(65536)
                met.sendall((head % len(body) if b"%d" in head else head) + body)

        thread = Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def ends_well(poller):
    """Stop a poller by SIGTERM; returns what it printed."""
    poller.send_signal(signal.SIGTERM)
    out, err = poller.communicate(timeout=30)
    assert poller.returncode == 0, err
    return out


def all_are_done():
    """True if every job is DONE."""
    return set(statuses()) == {"DONE"}
