"""The list of jobs: what its head says, what its filters and its search find, and actions on many jobs."""

import re
from uuid import uuid4

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.urls import reverse

from inbox.admin_pages import change_list
from inbox.admin_pages.job_list import banner
from inbox.admin_pages.job_list import bulk_action as many
from inbox.admin_pages.job_list.change_list import JobList
from inbox.db import bounded_count
from inbox.models import InboxAudit, InboxJob, InboxWorker
from inbox.monitoring import snapshot
from packets.codes import Channel
from packets.open_packet import open_packet
from tests.support.rows import job, seconds_ago, tracking_id

pytestmark = pytest.mark.django_db

LIST = reverse("admin:inbox_inboxjob_changelist")
CASE = tracking_id(1)
REASON = "the other side is up again"


@pytest.fixture(autouse=True)
def look_anew():
    banner.forget()
    yield
    banner.forget()


def found(client, **query):
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return {made.pk for made in answer.context["cl"].result_list}


def text_of(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


def dead(count):
    return [job(status="DEAD", error_kind="Odd").pk for _ in range(count)]


def ask(client, name, keys, query="", **more):
    data = {"action": name, ACTION_CHECKBOX_NAME: keys, "select_across": "0", "index": "0"} | more
    return client.post(LIST + query, data)


def answer_form(client, shown, query="", **typed):
    """POST the page that asks, as a browser would."""
    hidden = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', shown.content.decode()))
    keys = re.findall(rf'name="{ACTION_CHECKBOX_NAME}" value="(\d+)"', shown.content.decode())
    data = hidden | {ACTION_CHECKBOX_NAME: keys, "reason": REASON} | typed
    return client.post(LIST + query, data, follow=True)


def statuses(keys):
    return [InboxJob.objects.get(pk=key).status for key in keys]


def test_the_head_says_idle_running_and_stalled_with_what_to_type(client):
    assert "<strong>Idle</strong>" in text_of(client.get(LIST))
    job(status="PROCESSING")
    banner.forget()
    assert "<strong>Running</strong>" in text_of(client.get(LIST))
    job(source="integration", message_type="intake", next_attempt_at=seconds_ago(60))
    banner.forget()
    text = text_of(client.get(LIST))
    assert "<strong>Stalled</strong>" in text
    assert "no run_inbox_worker is running" in text
    assert "manage.py run_inbox_worker</code>" in text


def test_the_head_counts_by_status_with_the_oldest_age(client, monkeypatch):
    monkeypatch.setattr(bounded_count, "LIMIT", 2)
    for status in ("NEW", "NEW", "FAILED", "DEAD", "DEAD", "DEAD", "DONE"):
        job(status=status, created_at=seconds_ago(3 * 86400), next_attempt_at=seconds_ago(7200))
    counts = {count.status: (count.count, count.oldest) for count in banner.take_banner().counts}
    assert counts == {
        "NEW": ("2", "2 h"),
        "PROCESSING": ("0", None),
        "FAILED": ("1", "3 d"),
        "WAITING": ("0", None),
        "DEAD": ("2+", "3 d"),
        "DONE": ("1 of the newest 2", None),
    }


def test_of_many_open_jobs_the_head_says_how_many_there_are_at_least(client, monkeypatch):
    monkeypatch.setattr(snapshot, "OPEN_COUNTED", 3)
    monkeypatch.setattr(snapshot, "OPEN_READ", 2)
    for source in ("integration", "integration", "test", "test"):
        job(source=source, message_type="intake", next_attempt_at=seconds_ago(60))
    head = banner.take_banner()
    assert [count.count for count in head.counts[:2]] == ["3+", "0"]
    assert "2+ jobs are due and no run_inbox_worker is running" in [stall.why for stall in head.stalls]
    assert "<dd>4+</dd>" in text_of(client.get("/admin/"))


def test_each_filter_finds_its_jobs(client):
    old = job(created_at=seconds_ago(4000))
    claimed = job(status="PROCESSING", locked_by="worker A")
    failed = job(status="FAILED", error_kind="Odd", message_type="intake", source="integration")
    job(status="DONE", created_at=seconds_ago(9000))
    assert found(client, open_for="3600") == {old.pk}
    assert found(client, locked_by="worker A") == {claimed.pk}
    assert found(client, error_kind="Odd") == {failed.pk}
    assert found(client, status__exact="FAILED") == {failed.pk}
    assert found(client, message_type="intake") == found(client, source="integration") == {failed.pk}
    text = text_of(client.get(LIST))
    for link in ("?error_kind=Odd", "?locked_by=worker+A", "?open_for=86400", "?source=test", "?message_type=utn_fail"):
        assert link in text


def test_a_filter_without_an_index_looks_through_the_newest_and_says_so(client, monkeypatch):
    monkeypatch.setattr(change_list, "NEWEST_ROWS", 2)
    jobs = [job(status="DEAD") for _ in range(3)]
    assert len(found(client, message_type="probe")) == 2
    says = "Searched only the newest 2 jobs. There may be more matches."
    assert says in text_of(client.get(LIST, {"message_type": "probe"}))
    assert len(found(client, message_type="probe", status__exact="DEAD")) == len(found(client)) == len(jobs)


def test_a_search_finds_by_the_number_of_the_packet(client):
    packet, _ = open_packet(CASE, channel=Channel.FAX, by="ada", reason="called")
    made = job(decision_tracking_id=CASE)
    job(decision_tracking_id=uuid4())
    assert found(client, q=packet.external_id) == found(client, q=str(CASE)) == {made.pk}
    assert found(client, q=f"x{packet.external_id}") == set()


def test_the_selected_are_requeued_after_a_page_with_the_count_and_a_reason(client):
    keys = [*dead(3), job(status="DONE").pk]
    shown = ask(client, "requeue", keys[1:])
    assert "<strong>2 jobs</strong> that you selected" in text_of(shown)
    assert statuses(keys) == ["DEAD", "DEAD", "DEAD", "DONE"]
    assert "errorlist" in text_of(answer_form(client, shown, reason=" "))
    assert not InboxAudit.objects.exists()
    assert "2 jobs requeued." in text_of(answer_form(client, shown))
    assert statuses(keys) == ["DEAD", "NEW", "NEW", "DONE"]
    assert set(InboxAudit.objects.values_list("who", "reason", "verb")) == {("boss", REASON, "requeue")}


def test_all_that_match_the_filter_are_taken_and_nothing_else(client):
    keys, other = dead(5), job(status="DEAD", error_kind="Other").pk
    query = "?error_kind=Odd"
    shown = ask(client, "requeue", keys[:1], query, select_across="1")
    text = text_of(shown)
    assert "<strong>5 jobs</strong> that match <code>error_kind=Odd</code>" in text
    assert "Only these 5 jobs are affected." in text
    assert "over 15 s" in text
    assert "At most" not in text
    late = dead(1)
    assert "5 jobs requeued.<" in text_of(answer_form(client, shown, query))
    assert statuses([*keys, other, *late]) == ["NEW"] * 5 + ["DEAD"] * 2


def test_of_more_than_the_limit_the_first_are_taken_and_the_page_says_so(client, monkeypatch):
    monkeypatch.setattr(bounded_count, "LIMIT", 3)
    keys = dead(5)
    for is_last, count in ((False, 3), (True, 2)):
        shown = ask(client, "requeue", keys[:1], "?status__exact=DEAD", select_across="1")
        text = text_of(shown)
        assert f"<strong>{count} jobs</strong> that match" in text
        says = "More than 3 match; only the first are affected. At most 3 jobs can be requeued at once."
        assert (says in text) != is_last
        text = text_of(answer_form(client, shown, "?status__exact=DEAD"))
        assert f"{count} jobs requeued." in text
        assert ("do the same again" in text) != is_last
    assert statuses(keys) == ["NEW"] * 5


FAILED = "?status__exact=FAILED&source=test"


def failed(count):
    return [job(status="FAILED").pk for _ in range(count)]


def test_a_second_click_takes_no_job_that_the_page_did_not_count(client, monkeypatch):
    monkeypatch.setattr(bounded_count, "LIMIT", 3)
    keys = failed(7)
    shown = ask(client, "mark-dead", keys[:1], FAILED, select_across="1")
    assert "3 jobs marked dead" in text_of(answer_form(client, shown, FAILED))
    assert "0 jobs marked dead. Skipped because they changed after the page was shown: 3." in text_of(
        answer_form(client, shown, FAILED)
    )
    assert sorted(statuses(keys)) == ["DEAD"] * 3 + ["FAILED"] * 4


@pytest.mark.parametrize("time", ["infinity", "-infinity", "20000-01-01"])
def test_a_job_written_at_a_time_outside_pythons_range_is_taken_as_it_was_seen(client, time):
    """Only those that still have such a time; any move since writes a good one."""
    keys = [job(status="FAILED").pk for _ in range(3)]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_inbox SET updated_at = %s WHERE inbox_id = ANY(%s)", [time, keys[:2]])
    shown = ask(client, "requeue", keys)
    InboxJob.objects.filter(pk=keys[1]).update(updated_at=seconds_ago(0))
    assert "2 jobs requeued" in text_of(answer_form(client, shown))
    assert statuses(keys) == ["NEW", "FAILED", "NEW"]


def test_the_rest_after_the_time_limit_is_of_those_that_the_page_counted(client, monkeypatch):
    monkeypatch.setattr(bounded_count, "LIMIT", 3)
    monkeypatch.setattr(many, "WITHIN_S", -1.0)
    monkeypatch.setattr(many, "BATCH", 1)
    keys = failed(7)
    shown = ask(client, "mark-dead", keys[:1], FAILED, select_across="1")
    for left in (2, 1):
        shown = answer_form(client, shown, FAILED)
        assert f"<strong>{left} job{'s' if left > 1 else ''}</strong> that match" in text_of(shown)
    # A page of before, sent again, has nothing more to do either.
    for _ in range(2):
        answer_form(client, shown, FAILED)
    assert sorted(statuses(keys)) == ["DEAD"] * 3 + ["FAILED"] * 4


def test_what_another_operator_does_in_between_moves_nothing_up(client, monkeypatch):
    monkeypatch.setattr(bounded_count, "LIMIT", 3)
    keys = failed(7)
    shown = ask(client, "mark-dead", keys[:1], FAILED, select_across="1")
    other = Client()
    other.force_login(User.objects.create_superuser("other"))
    answer_form(other, ask(other, "mark-dead", keys[:1], FAILED, select_across="1"), FAILED)
    text = text_of(answer_form(client, shown, FAILED))
    assert "0 jobs marked dead. Skipped because they changed after the page was shown: 3." in text
    assert sorted(statuses(keys)) == ["DEAD"] * 3 + ["FAILED"] * 4


def test_what_comes_of_age_while_the_reason_is_typed_is_left_alone(client):
    old, young = (job(status="FAILED", created_at=seconds_ago(age_s)).pk for age_s in (400, 299))
    shown = ask(client, "mark-dead", [old], "?open_for=300", select_across="1")
    # As two seconds later.
    InboxJob.objects.filter(pk=young).update(created_at=seconds_ago(301))
    assert "1 job marked dead." in text_of(answer_form(client, shown, "?open_for=300"))
    assert statuses([old, young]) == ["DEAD", "FAILED"]


def test_a_lease_that_is_renewed_is_released_and_one_that_is_new_is_not(client):
    beating, claimed_anew = (job(status="PROCESSING") for _ in range(2))
    shown = ask(client, "release-lease", [beating.pk], "?status__exact=PROCESSING", select_across="1")
    later = seconds_ago(-60)
    InboxJob.objects.filter(pk=beating.pk).update(locked_at=later, updated_at=later)
    InboxJob.objects.filter(pk=claimed_anew.pk).update(lease_id=uuid4())
    text = text_of(answer_form(client, shown, "?status__exact=PROCESSING"))
    assert "1 job released. Skipped because they changed after the page was shown: 1." in text
    assert statuses([beating.pk, claimed_anew.pk]) == ["NEW", "PROCESSING"]


def test_what_is_confirmed_is_not_looked_for_again(client, monkeypatch):
    keys = failed(2)
    shown = ask(client, "mark-dead", keys[:1], FAILED, select_across="1")
    monkeypatch.setattr(JobList, "__init__", lambda *arguments: pytest.fail("the list was looked up"))
    hidden = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', shown.content.decode()))
    assert client.post(LIST + FAILED, hidden | {"reason": REASON}).url == LIST + FAILED
    assert statuses(keys) == ["DEAD"] * 2


def test_what_has_changed_since_the_page_was_shown_is_left_alone_and_counted(client):
    keys = dead(2)
    shown = ask(client, "requeue", keys)
    later = seconds_ago(-60)
    InboxJob.objects.filter(pk=keys[0]).update(updated_at=later)
    text = text_of(answer_form(client, shown))
    assert "1 job requeued. Skipped because they changed after the page was shown: 1." in text
    assert statuses(keys) == ["DEAD", "NEW"]


def test_a_list_that_looked_at_a_part_says_so_before_it_acts_and_acts_on_no_other(client, monkeypatch):
    monkeypatch.setattr(change_list, "NEWEST_ROWS", 3)
    monkeypatch.setattr(bounded_count, "LIMIT", 2)
    keys = dead(5)
    query = "?message_type=probe"
    shown = ask(client, "requeue", keys[:1], query, select_across="1")
    text = text_of(shown)
    assert "<strong>2 jobs</strong> that match" in text
    assert "Searched only the newest 3 jobs. There may be more matches." in text
    assert "At most 2 jobs can be requeued at once." in text
    assert "do the same again" in text
    assert "2 jobs requeued. More jobs may match." in text_of(answer_form(client, shown, query))
    assert statuses(keys) == ["DEAD"] * 3 + ["NEW"] * 2


def test_who_was_selected_far_down_the_list_is_taken_though_newer_jobs_came(client, monkeypatch):
    monkeypatch.setattr(change_list, "NEWEST_ROWS", 2)
    keys = dead(2)
    shown = ask(client, "requeue", keys[:1], "?message_type=probe")
    dead(3)
    answer_form(client, shown, "?message_type=probe")
    assert statuses(keys) == ["NEW", "DEAD"]


def test_a_rare_source_is_found_behind_the_newest_jobs(client, monkeypatch):
    monkeypatch.setattr(change_list, "NEWEST_ROWS", 2)
    rare = job(source="rare", status="DONE")
    dead(4)
    assert found(client, source="rare") == found(client, source="rare", status__exact="DONE") == {rare.pk}


@pytest.mark.parametrize("name", ["requeue", "reschedule"])
def test_when_time_is_up_the_page_asks_again_for_the_rest(client, monkeypatch, name):
    monkeypatch.setattr(many, "WITHIN_S", -1.0)
    monkeypatch.setattr(many, "BATCH", 1)
    keys = dead(3) if name == "requeue" else [job(status="FAILED").pk for _ in range(3)]
    shown = ask(client, name, keys[:1], select_across="1")
    for left in (2, 1):
        shown = answer_form(client, shown)
        text = text_of(shown)
        assert "Submit again for the rest" in text
        assert f"<strong>{left} job" in text
        assert "Skipped" not in text
    answer_form(client, shown)
    assert InboxAudit.objects.count() == 3


@pytest.mark.parametrize(
    ("name", "status", "after"), [("mark-dead", "FAILED", "DEAD"), ("release-lease", "PROCESSING", "NEW")]
)
def test_the_other_actions_on_many(client, name, status, after):
    keys = [job(status=status).pk for _ in range(2)]
    answer_form(client, ask(client, name, keys))
    assert statuses(keys) == [after] * 2


def test_an_action_is_not_done_by_get(client):
    keys = dead(1)
    client.get(LIST, {"action": "requeue", ACTION_CHECKBOX_NAME: keys, "confirmed": "yes", "reason": REASON})
    assert statuses(keys) == ["DEAD"]


@pytest.mark.parametrize("role", ["viewer", "staff reviewer"])
def test_a_viewer_has_no_actions_and_a_forged_one_does_nothing(client, role):
    keys = dead(1)
    shown = ask(client, "requeue", keys)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.groups.add(Group.objects.get(name=role))
    client.force_login(viewer)
    assert 'name="action"' not in text_of(client.get(LIST))
    answer_form(client, shown)
    assert statuses(keys) == ["DEAD"]


def test_a_worker_with_nothing_in_hand_is_no_owner_to_choose(client):
    InboxWorker.objects.create(instance_id=uuid4(), worker_id="idle:1", command="run_inbox_worker", host="h", pid=1)
    assert "idle:1" not in text_of(client.get(LIST))
