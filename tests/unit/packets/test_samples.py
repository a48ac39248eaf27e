"""Sample messages: a seed makes the same ones, with every shape and breakage, and the broken share is exact."""

import pytest

from packets.samples.breakages import BREAKAGES
from packets.samples.messages import CORRECTION, NO_DOCUMENTS, good_messages, sample_messages
from packets.samples.shapes import SHAPES


def test_the_same_seed_gives_the_same_messages_and_another_seed_others():
    first, again, other = (list(sample_messages(300, seed)) for seed in (1, 1, 2))
    assert first == again
    assert not {message.payload for message in first} & {message.payload for message in other if not message.breakage}


def test_a_thousand_hold_every_shape_and_every_breakage():
    for seed in range(5):
        messages = list(sample_messages(1000, seed))
        assert {message.breakage for message in messages} == {None, *BREAKAGES}
        assert {message.shape for message in messages} == {*SHAPES, NO_DOCUMENTS, CORRECTION}


@pytest.mark.parametrize(("share", "broken"), [(0, 0), (0.5, 100), (1, 200)])
def test_the_broken_share_is_exact(share, broken):
    assert sum(message.breakage is not None for message in sample_messages(200, 1, share)) == broken


def test_good_messages_have_a_case_each():
    messages = list(good_messages(300, seed=1))
    assert len({message.decision_tracking_id for message in messages}) == 300
    assert {message.breakage for message in messages} == {None}
