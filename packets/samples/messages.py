"""Synthetic messages as Integration would send them, for development, tests and benchmarks.

The same seed gives the same messages. `insert` adds rows for real: nothing here checks that the database is a toy.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from packets.codes import Channel
from packets.samples.breakages import BREAKAGES
from packets.samples.shapes import SHAPES, esmd, tracking_id

NO_DOCUMENTS = "no documents"
ABSENT = "absent"
CORRECTION = "correction"
SHARE_WITHOUT_DOCUMENTS = 0.01
SHARE_OF_CORRECTIONS = 0.02
# A correction follows one of so many messages before it.
CORRECTED_WITHIN = 100

COLUMNS = ("decision_tracking_id", "payload", "channel_type_id", "message_type_id")
INSERT_MESSAGES = f"INSERT INTO integration_send_serviceops ({', '.join(COLUMNS)}) VALUES "


@dataclass(frozen=True, slots=True)
class SampleMessage:
    """The columns of a row; `payload` is JSON text. `breakage` says what is wrong with it, None if nothing is."""

    decision_tracking_id: UUID | None
    payload: str
    channel_type_id: int | None
    message_type_id: int | None
    shape: str
    breakage: str | None = None


def sample_messages(count: int, seed: int, broken_share: float = 0.03) -> Iterator[SampleMessage]:
    """`count` messages of all shapes, a few without documents, a few corrections, and exactly the share broken.

    Every breakage is used once before any is used twice.
    """
    random = Random(seed)  # noqa: S311 not a secret
    broken_at = set(random.sample(range(count), round(count * broken_share)))
    ways = list(BREAKAGES)
    random.shuffle(ways)
    broken = 0
    recent: deque[SampleMessage] = deque(maxlen=CORRECTED_WITHIN)
    for position in range(count):
        if position in broken_at:
            yield _broken(random, ways[broken % len(ways)])
            broken += 1
        elif recent and random.random() < SHARE_OF_CORRECTIONS:
            yield _correction(random, random.choice(recent))
        elif random.random() < SHARE_WITHOUT_DOCUMENTS:
            yield _without_documents(random)
        else:
            recent.append(_good(random))
            yield recent[-1]


def good_messages(count: int, seed: int) -> Iterator[SampleMessage]:
    """`count` good messages of all shapes, each with documents and of a case of its own."""
    random = Random(seed)  # noqa: S311 not a secret
    return (_good(random) for _ in range(count))


def insert(
    messages: Iterable[SampleMessage],
    batch_size: int = 500,
    on_batch: Callable[[list[SampleMessage]], None] = lambda batch: None,
) -> int:
    """Insert rows by plain SQL, one transaction per batch; `on_batch` gets each. Returns how many rows."""
    rest = iter(messages)
    count = 0
    while batch := list(islice(rest, batch_size)):
        values = [getattr(message, column) for message in batch for column in COLUMNS]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(INSERT_MESSAGES + ", ".join(["(%s, %s, %s, %s)"] * len(batch)), values)
        count += len(batch)
        on_batch(batch)
    return count


def _good(random: Random) -> SampleMessage:
    shape = random.choice(list(SHAPES))
    make, channel = SHAPES[shape]
    tracking = tracking_id(random)
    payload = json.dumps(make(random, tracking))
    return SampleMessage(tracking, payload, channel.value, random.choice([None, 1]), shape)


def _without_documents(random: Random) -> SampleMessage:
    tracking = tracking_id(random)
    payload = esmd(random, tracking)
    payload["documents"] = random.choice([None, ABSENT, []])
    if payload["documents"] is ABSENT:
        del payload["documents"]
    return SampleMessage(tracking, json.dumps(payload), Channel.ESMD.value, 1, NO_DOCUMENTS)


def _correction(random: Random, corrected: SampleMessage) -> SampleMessage:
    tracking = corrected.decision_tracking_id
    assert tracking is not None  # noqa: S101 only good messages are corrected
    make, _ = SHAPES[corrected.shape]
    return replace(corrected, payload=json.dumps(make(random, tracking)), shape=CORRECTION)


def _broken(random: Random, way: str) -> SampleMessage:
    shape = random.choice(["esMD", "Fax", "Portal"])
    make, channel = SHAPES[shape]
    tracking = tracking_id(random)
    columns: dict[str, Any] = {
        "decision_tracking_id": tracking,
        "payload": make(random, tracking),
        "channel_type_id": channel.value,
        "message_type_id": random.choice([None, 1]),
    }
    BREAKAGES[way](columns)
    columns["payload"] = json.dumps(columns["payload"])
    return SampleMessage(**columns, shape=shape, breakage=way)
