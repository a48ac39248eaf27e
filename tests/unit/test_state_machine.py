"""The diagrams and lists of docs/state_machine.md show exactly the moves that the code allows."""

import re
from itertools import permutations

from decisions.staff.update_operational_decision import OPERATIONAL_MOVES
from inbox.statuses import ALLOWED_MOVES, RECORDED_MOVES, Status
from packets.moves import MOVES, OPEN, STAFF_STEPS
from tests.support.project import PROJECT


def diagrams():
    """The moves that docs/state_machine.md draws, a list of (from, to, why) per diagram; `*` is beginning or end."""
    text = (PROJECT / "docs" / "state_machine.md").read_text()
    blocks = re.findall(r"```mermaid\n(.*?)```", text, re.S)
    edge = r"^ +\[?([\w*]+)\]? --> (\w+)(?:: (.*))?$"
    return [re.findall(edge, block, re.M) for block in blocks]


def test_the_diagram_shows_the_same_moves():
    drawn = {(Status(start), Status(end)) for start, end, _ in diagrams()[0] if start != "*"}
    assert drawn == ALLOWED_MOVES | RECORDED_MOVES


def alias(status):
    return re.sub(r"\W", "", status)


def test_the_diagram_of_packets_shows_the_same_moves():
    expected = {
        (start, alias(move.to), verb.value)
        for verb, move in MOVES.items()
        for start in (["Open"] if move.froms == OPEN else map(alias, move.froms))
    }
    assert {edge for edge in diagrams()[1] if edge[0] != "*"} == expected


def test_the_steps_by_hand_are_those_of_the_table():
    text = (PROJECT / "docs" / "state_machine.md").read_text()
    lines = re.search(r"By hand.*?\n\n(.*?)\n\n", text, re.S).group(1).splitlines()
    drawn = {pair for line in lines for pair in permutations(line.removeprefix("- ").split(", "), 2)}
    assert drawn == {(str(start), str(end)) for start, end in STAFF_STEPS}


def test_the_diagram_of_operational_decisions_shows_the_same_moves():
    expected = {(str(start), str(end), verb.value) for (start, end), verb in OPERATIONAL_MOVES.items()}
    expected.add(("PENDING", "DISMISSAL", "dismiss"))
    assert {edge for edge in diagrams()[2] if edge[0] != "*"} == expected
