"""Applies messages: stores the messages of cases and recomputes their decisions from all of them.

Set-based: any number of messages of any number of cases, in the transaction that has locked the packets
(decisions/case.py). A case gets at most one new version, and none if the messages change nothing.
"""

from collections import defaultdict
from collections.abc import Sequence

from decisions.messages.case_update import NewMessage, update_case
from decisions.messages.history import events_of, move_of
from decisions.models import DecisionMessage
from decisions.outbox import request_letters, request_payloads
from decisions.versions import write_versions
from inbox.api import wake
from packets.models import PacketEvent
from packets.move_packet import move_packets


def apply_messages(messages: Sequence[NewMessage]) -> None:
    """Apply these messages, and set the result on each.

    1. Read the earlier messages of these cases.
    2. Decide for each case what follows.
    3. Keep the messages, and write the new versions.
    4. Move the packets, and write a line of history per message.
    5. Request letters and payloads.
    6. Wake the jobs that wait for a clinical answer.
    """
    if not messages:
        return
    by_packet: dict[int, list[NewMessage]] = defaultdict(list)
    for item in messages:
        by_packet[item.case.packet.pk].append(item)
    known: dict[int, list[DecisionMessage]] = defaultdict(list)
    # A payload can be megabytes, and its digest says all that counts.
    for message in DecisionMessage.objects.defer("payload").filter(packet__packet_id__any_of=by_packet):
        known[message.packet_id].append(message)

    updates = [update_case(new[0].case, known[packet_id], new) for packet_id, new in by_packet.items()]
    decided = [(update.case, update.version) for update in updates if update.version]

    DecisionMessage.objects.bulk_create([message for update in updates for message in update.kept])
    write_versions([version for _, version in decided])
    moves = [move_of(update) for update in updates]
    move_packets(moves)
    PacketEvent.objects.bulk_create(
        [event for update, move in zip(updates, moves, strict=True) for event in events_of(update, move)]
    )
    request_letters(decided)
    request_payloads(decided, {update.version.pk: update.asks_after_s for update in updates if update.version})
    wake(
        [
            case.packet.decision_tracking_id
            for case, version in decided
            if case.active is None or case.active.clinical_decision != version.clinical_decision
        ],
        why="a clinical answer arrived",
    )
