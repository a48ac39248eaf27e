"""manage.py load_samples, and that what it loads ends as it says."""

import re

import pytest
from django.core.management import CommandError, call_command

from inbox.db.errors import NoDatabase
from inbox.management import base
from inbox.models import InboxJob
from packets.models import IntegrationMessage, Packet
from packets.samples.breakages import BREAKAGES
from packets.samples.messages import CORRECTION, NO_DOCUMENTS, good_messages, sample_messages
from packets.samples.shapes import SHAPES


def number_after(label, out):
    return int(re.search(rf"^{label}: ([\d,]+)$", out, re.MULTILINE)[1].replace(",", ""))


def test_loaded_messages_end_as_the_loader_says_and_a_second_load_adds_new_ones(run_command, transactional_db):
    code, out, err = run_command("load_samples", "--seed", "7")
    assert (code, err) == (0, "")
    assert out.startswith("1,000 messages loaded, seed 7\n")
    broken = number_after("broken", out)
    assert (broken, number_after("good", out)) == (30, 970)
    assert all(f" {way}\n" in out for way in BREAKAGES)
    assert IntegrationMessage.objects.values("created_at").distinct().count() == 2

    assert run_command("run_inbox_worker", "--drain")[0] == 0
    assert InboxJob.objects.filter(status="DEAD", attempt_count=1, error_kind="BadMessage").count() == broken
    assert InboxJob.objects.filter(status="DONE").count() == 1000 - broken
    cases = Packet.objects.count()
    assert 900 < cases < 970

    code, out, _ = run_command("load_samples", "--count", "200", "--broken", "10")
    assert (code, number_after("broken", out)) == (0, 20)
    assert run_command("run_inbox_worker", "--drain")[0] == 0
    assert InboxJob.objects.filter(status="DEAD").count() == broken + 20
    assert InboxJob.objects.filter(status="DONE").count() == 1000 - broken + 180
    assert Packet.objects.count() > cases + 150


@pytest.mark.parametrize(
    ("option", "value", "takes"),
    [
        ("--count", "0", "a whole number above 0"),
        ("--count", "many", "a whole number above 0"),
        ("--seed", "x", "a whole number"),
        ("--broken", "101", "a percentage from 0 to 100"),
        ("--broken", "nan", "a percentage from 0 to 100"),
    ],
)
def test_a_wrong_option_is_told_what_it_takes(run_command, option, value, takes):
    code, _, err = run_command("load_samples", option, value)
    assert code == 2
    assert f"argument {option}: must be {takes}, got '{value}'" in err


def test_without_a_database_it_gives_up_with_exit_code_4(monkeypatch):
    def refuse(timeout_s):
        raise NoDatabase("no database")

    monkeypatch.setattr(base, "wait_for_database", refuse)
    with pytest.raises(CommandError, match="no database") as raised:
        call_command("load_samples")
    assert raised.value.returncode == 4


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
