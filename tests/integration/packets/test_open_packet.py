from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from inbox.engine.claim import claim
from inbox.engine.ingest import ingest
from inbox.engine.work import work
from inbox.models import InboxJob
from inbox.registry import source
from packets.codes import Channel, DetailedStatus
from packets.models import Packet, PacketDocument, PacketEvent
from packets.open_packet import open_packet
from tests.support.rows import esmd, send, tracking_id

CASE = tracking_id(1)
ROUNDS = 20
THREADS = 8


def open_case(case=CASE, *, by="ada", reason="called by phone", channel=Channel.FAX):
    return open_packet(case, channel=channel, by=by, reason=reason)


def ingest_and_work():
    ingest(source("integration"))
    return work(claim(source("integration"), worker_id="test", limit=10))


def at_once(actions):
    """Run each action in a thread with a connection of its own, all released by one barrier; returns their results."""
    barrier = Barrier(len(actions))

    def run(action):
        try:
            connection.ensure_connection()
            barrier.wait(timeout=10)
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


@pytest.mark.django_db
def test_a_packet_opened_by_hand_says_by_whom_and_why():
    packet, is_created = open_case(reason=" called by phone ")
    assert is_created
    packet.refresh_from_db()
    assert (packet.channel_type_id, packet.detailed_status) == (Channel.FAX, DetailedStatus.PENDING_NEW)
    assert packet.external_id.startswith("SVC-")
    assert not packet.has_documents
    event = PacketEvent.objects.get()
    assert (event.packet, event.what, event.by, event.reason) == (packet, "created", "ada", "called by phone")
    assert (event.job_id, event.from_status, event.to_status) == (None, None, DetailedStatus.PENDING_NEW)


@pytest.mark.django_db
def test_opening_a_case_again_returns_its_packet_and_overwrites_nothing():
    first, _ = open_case()
    second, is_created = open_case(by="bob", reason="again", channel=Channel.PORTAL)
    assert not is_created
    assert (second.pk, second.channel_type_id) == (first.pk, Channel.FAX)
    assert PacketEvent.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("nothing", ["", " \n"])
@pytest.mark.parametrize("field", ["by", "reason"])
def test_a_packet_is_not_opened_without_a_name_and_a_reason(field, nothing):
    with pytest.raises(ValueError, match="by whom and why"):
        open_case(**{field: nothing})
    assert not Packet.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_its_event_there_is_no_packet(monkeypatch):
    def fail(**fields):
        raise RuntimeError("no event")

    monkeypatch.setattr(PacketEvent.objects, "create", fail)
    with pytest.raises(RuntimeError):
        open_case()
    assert not Packet.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_later_intake_fills_a_packet_that_was_opened_by_hand():
    packet, _ = open_case()
    message_id = send(esmd(CASE), CASE)
    assert ingest_and_work().done == 1
    packet.refresh_from_db()
    assert (packet.has_documents, packet.intake_message_id) == (True, message_id)
    assert packet.channel_type_id == Channel.ESMD
    assert InboxJob.objects.get().note is None
    assert list(PacketEvent.objects.values_list("what", flat=True)) == ["created", "intake_replaced"]


@pytest.mark.django_db(transaction=True)
def test_opening_a_case_that_an_intake_has_made_changes_nothing():
    send(esmd(CASE), CASE)
    ingest_and_work()
    before = Packet.objects.values().get()
    packet, is_created = open_case()
    assert not is_created
    assert packet.has_documents
    assert Packet.objects.values().get() == before
    assert PacketEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_people_who_open_the_same_case_at_once_make_one_packet():
    for number in range(1, ROUNDS + 1):
        case = tracking_id(number)
        results = at_once([lambda case=case, name=name: open_case(case, by=f"user{name}") for name in range(THREADS)])
        assert sum(is_created for _, is_created in results) == 1
        assert len({packet.pk for packet, _ in results}) == 1
        assert PacketEvent.objects.filter(packet__decision_tracking_id=case).count() == 1
    assert Packet.objects.count() == PacketEvent.objects.count() == ROUNDS


@pytest.mark.django_db(transaction=True)
def test_people_and_a_worker_at_once_make_one_packet_which_has_the_documents():
    for number in range(1, ROUNDS + 1):
        case = tracking_id(number)
        send(esmd(case), case)
        ingest(source("integration"))
        claimed = claim(source("integration"), worker_id="test", limit=10)
        opens = [lambda case=case: open_case(case) for _ in range(3)]
        counts, *_ = at_once([lambda claimed=claimed: work(claimed), *opens])
        assert counts.done == 1
        packet = Packet.objects.get(decision_tracking_id=case)
        assert packet.has_documents
        assert PacketDocument.objects.filter(packet=packet).count() == 1
        assert packet.events.filter(what="created").count() == 1
