"""manage.py load_samples, and that what it loads ends as it says."""

import re

from inbox.models import InboxJob
from packets.models import IntegrationMessage, Packet
from packets.samples.breakages import BREAKAGES


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
