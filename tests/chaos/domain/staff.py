"""People decide, click twice, and operate on jobs. Each decision is recorded in the transaction that makes it."""

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import uuid4

from django.db import Error, connection, transaction

from decisions.codes import DenialReason
from decisions.errors import DecisionRefused
from decisions.models import PacketDecision
from decisions.sources import JSON_GENERATOR
from decisions.staff.affirm import affirm
from decisions.staff.approve import approve
from decisions.staff.dismiss import dismiss
from decisions.staff.update_clinical_decision import update_clinical_decision
from decisions.staff.update_operational_decision import update_operational_decision
from inbox.engine.pause import resume
from inbox.models import InboxJob
from inbox.operations.operation import Operation, apply
from inbox.operations.verbs import RELEASE_LEASE, REQUEUE, RESCHEDULE
from packets.models import Packet

BY = "chaos staff"
# Newest packets that they look at, and newest jobs.
PACKETS = 300
JOBS = 2000
# A witness message leaves DEAD for nobody.
DOMAIN = ("integration", "clinical_decision", "generated_payload", "json_generator")
DISMISSAL = {"denial_reason": DenialReason.OTHER, "denial_details": {"reason": "TEST"}}
DECISIONS: list[tuple[Callable[..., PacketDecision], dict[str, Any], str | None, int]] = [
    (approve, {}, None, 6),
    (affirm, {}, "AFFIRM", 2),
    (dismiss, DISMISSAL, None, 1),
    (update_clinical_decision, {"answer": "AFFIRM"}, "AFFIRM", 2),
    (update_clinical_decision, {"answer": "NON_AFFIRM"}, "NON_AFFIRM", 2),
    (update_operational_decision, {"to": "DECISION_COMPLETE"}, None, 1),
    (update_operational_decision, {"to": "DISMISSAL_COMPLETE"}, None, 1),
    (update_operational_decision, {"to": "PENDING"}, None, 3),
]
RECORD = """
INSERT INTO chaos_click (correlation_id, packet_id, verb, answer, version_id) VALUES (%s, %s, %s, %s, %s)
"""


class Staff:
    """Everything that people do, another each time that the process is started."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"{seed} {os.getpid()}")
        self._hands = ThreadPoolExecutor(2)

    def act(self) -> None:
        """One thing, or nothing if the server is away."""
        try:
            if self.rng.random() < 0.1:
                self._operate()
            else:
                self._decide()
        except Error:
            connection.close()

    def _decide(self) -> None:
        newest = Packet.objects.order_by("-packet_id").values_list("packet_id", flat=True).first()
        if newest is None:
            return
        packet_id = max(1, newest - self.rng.randrange(PACKETS))
        seen = PacketDecision.objects.filter(packet_id=packet_id, is_active=True).values_list("pk", flat=True).first()
        [chosen] = self.rng.choices(DECISIONS, [weight for *_, weight in DECISIONS])
        click = _Click(packet_id, *chosen[:3], seen)
        match self.rng.choices(["once", "twice", "twice at once"], [6, 2, 2])[0]:
            case "once":
                click()
            case "twice":
                click()
                click()
            case "twice at once":
                for done in [self._hands.submit(click.in_a_thread) for _ in range(2)]:
                    done.result()

    def _operate(self) -> None:
        newest = InboxJob.objects.order_by("-inbox_id").values_list("inbox_id", flat=True).first() or 0
        jobs = InboxJob.objects.filter(inbox_id__gt=newest - self.rng.randrange(JOBS))
        operation: Operation | None = self.rng.choice([REQUEUE, RELEASE_LEASE, RESCHEDULE, None])
        if operation is None:
            with transaction.atomic():
                resume(JSON_GENERATOR)
            return
        jobs = jobs if operation is RELEASE_LEASE else jobs.filter(source__in=DOMAIN)
        asked = {"to": None} if operation is RESCHEDULE else {}
        apply(operation, jobs, who=BY, reason="a test", limit=self.rng.randint(1, 3), **asked)


class _Click:
    """A request of a person, which may be sent more than once."""

    def __init__(self, packet_id, verb, options, answer, seen) -> None:
        self.packet_id, self.verb, self.options, self.answer = packet_id, verb, options, answer
        self.request = {"by": BY, "reason": "a test", "correlation_id": uuid4(), "seen": seen}

    def __call__(self) -> None:
        with suppress(DecisionRefused), transaction.atomic():
            version = self.verb(self.packet_id, **self.options, **self.request)
            values = [self.request["correlation_id"], self.packet_id, self.verb.__name__, self.answer, version.pk]
            with connection.cursor() as cursor:
                cursor.execute(RECORD, values)

    def in_a_thread(self) -> None:
        with suppress(Error):
            try:
                self()
            except Error:
                connection.close()
                raise
