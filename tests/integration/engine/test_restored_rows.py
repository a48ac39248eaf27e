"""Rows that come again under a number that already has a job, as after a restore of a source table from a backup."""

import json

import pytest
from django.db import connection

from decisions.models import ClinicalOpsMessage, PacketDecision
from inbox.engine.claim import claim
from inbox.engine.ingest import ingest
from inbox.engine.work import work
from inbox.models import InboxJob
from inbox.registry import source
from packets.messages import REPLACED
from packets.models import IntegrationMessage, Packet
from tests.support.drain import drain, drain_all, ingest_all
from tests.support.rows import esmd, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


def jobs():
    return list(InboxJob.objects.order_by("message_id", "revision").values_list("message_id", "revision"))


def write(message_id, decision="{}", case=1, **columns):
    """Insert a row of ClinicalOps under a number of the writer's choice."""
    ClinicalOpsMessage.objects.create(
        message_id=message_id,
        decision_tracking_id=tracking_id(case),
        clinical_ops_decision_json=json.loads(decision),
        **columns,
    )


def decide(message_id, decision):
    ClinicalOpsMessage.objects.filter(pk=message_id).update(clinical_ops_decision_json=decision)


def ingest_to_end():
    while ingest(source("clinical_decision")).count:
        pass


class TestByFlag:
    def test_a_row_that_was_deleted_and_written_again_has_a_job_of_its_own(self):
        write(1)
        ingest_to_end()
        ClinicalOpsMessage.objects.all().delete()
        write(1, '{"another": "answer"}')
        ingest_to_end()
        assert jobs() == [(1, 1), (1, 2)]
        row = ClinicalOpsMessage.objects.get()
        assert (row.decision_revision, row.is_decision_ingested) == (2, True)

    def test_a_change_to_a_row_of_yesterday_has_a_job_of_its_own(self):
        """Yesterday the row had its first content; today's second one, and its job, were there before the restore."""
        write(1, '{"content": 1}')
        ingest_to_end()
        decide(1, '{"content": 2}')
        ingest_to_end()
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            decide(1, '{"content": 1}')
            ClinicalOpsMessage.objects.update(decision_revision=1)
            cursor.execute("SET session_replication_role = origin")
        decide(1, '{"content": 3}')
        ingest_to_end()
        assert jobs() == [(1, 1), (1, 2), (1, 3)]
        row = ClinicalOpsMessage.objects.get()
        assert (row.decision_revision, row.is_decision_ingested) == (3, True)

    def test_an_open_job_does_not_act_on_the_row_of_another_case(self):
        """The row begins with revision 1, as the job has, and its message names no case."""
        write(1, '{"decision_indicator": "A"}')
        ingest_to_end()
        ClinicalOpsMessage.objects.all().delete()
        write(1, '{"decision_indicator": "N"}', case=2)
        for number in (1, 2):
            send(esmd(), tracking_id(number))
        drain()
        work(claim(source("clinical_decision"), worker_id="test", limit=1))
        assert not PacketDecision.objects.exists()
        assert InboxJob.objects.get(source="clinical_decision").note == REPLACED
        drain_all()
        assert [one.packet.decision_tracking_id for one in PacketDecision.objects.all()] == [tracking_id(2)]

    def test_other_rows_of_the_batch_are_not_held_up(self):
        write(1)
        ingest_to_end()
        ClinicalOpsMessage.objects.all().delete()
        for message_id in range(1, 4):
            write(message_id, created_at=seconds_ago(5))
        ingest(source("clinical_decision"))
        assert jobs() == [(1, 1), (2, 1), (3, 1)]
        ingest_to_end()
        assert jobs() == [(1, 1), (1, 2), (2, 1), (3, 1)]


class TestByWatermark:
    def test_a_new_message_under_an_old_number_has_a_job_of_its_own(self):
        """The restored table lacks today's rows, and its identity gives their numbers again."""
        send(esmd(), tracking_id(1), message_id=1)
        drain()
        IntegrationMessage.objects.all().delete()
        send(esmd(), tracking_id(2), message_id=1)
        drain()
        assert jobs() == [(1, 1), (1, 2)]
        cases = Packet.objects.order_by("decision_tracking_id").values_list("decision_tracking_id", flat=True)
        assert list(cases) == [tracking_id(1), tracking_id(2)]

    def test_an_open_job_does_not_act_on_the_row_of_another_case(self):
        """The message names no case."""
        send(esmd(), tracking_id(1), message_id=1, created_at=seconds_ago(60))
        ingest_all()
        IntegrationMessage.objects.all().delete()
        send(esmd(), tracking_id(2), message_id=1)
        drain()
        assert [packet.decision_tracking_id for packet in Packet.objects.all()] == [tracking_id(2)]
        assert InboxJob.objects.get(revision=1).note == REPLACED

    def test_so_has_one_that_commits_late(self):
        send(esmd(), tracking_id(1), message_id=1, created_at=seconds_ago(100))
        send(esmd(), tracking_id(3), message_id=3)
        drain()
        IntegrationMessage.objects.filter(pk=1).delete()
        send(esmd(), tracking_id(2), message_id=1, created_at=seconds_ago(60))
        drain()
        assert jobs() == [(1, 1), (1, 2), (3, 1)]

    @pytest.mark.parametrize("created_at", [None, "infinity"])
    def test_a_row_that_is_restored_as_it_was_has_none(self, created_at):
        send(esmd(), tracking_id(1), message_id=1, created_at=created_at or seconds_ago(1))
        with connection.cursor() as cursor:
            drain()
            cursor.execute("CREATE TEMPORARY TABLE backup AS TABLE integration_send_serviceops")
            cursor.execute("TRUNCATE integration_send_serviceops")
            cursor.execute("INSERT INTO integration_send_serviceops SELECT * FROM backup")
            drain()
            cursor.execute("DROP TABLE backup")
        assert jobs() == [(1, 1)]
