"""What operators see and do on the page of a job: each action by its form, upon what they saw, and with permission."""

import json
import re

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from django.urls import reverse

from inbox import registry
from inbox.admin_pages.indent import indented
from inbox.admin_pages.job_page.actions import ACTIONS
from inbox.admin_pages.redaction import redacted
from inbox.engine.audit import recorded_move
from inbox.engine.claim import claim
from inbox.engine.work import work
from inbox.models import InboxAudit, InboxCorrection, InboxJob
from inbox.operations.correct import corrected_texts
from packets.codes import Channel
from packets.models import IntegrationMessage, Packet
from packets.open_packet import open_packet
from packets.samples.messages import sample_messages
from tests.support.clinical import decision, payload
from tests.support.probe import probe_source
from tests.support.rows import esmd, job, seconds_ago, send, tracking_id

pytestmark = pytest.mark.django_db

CASE = tracking_id(1)
REASON = "the sender says it is good now"
MARKED = "MARKED-VALUE-7731"
POSSIBLE = {
    "requeue": {"FAILED", "WAITING", "DEAD"},
    "reschedule": {"NEW", "FAILED", "WAITING"},
    "mark-dead": {"NEW", "FAILED", "WAITING"},
    "release-lease": {"PROCESSING"},
}
AFTER = {"requeue": "NEW", "mark-dead": "DEAD", "release-lease": "NEW"}


@pytest.fixture
def client(client):
    client.force_login(User.objects.create_superuser("boss"))
    return client


def in_role(client, role):
    user = User.objects.create_user(f"a {role}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def page(of, action="change"):
    return reverse(f"admin:inbox_inboxjob_{action}", args=[of.pk])


def text_of(answer):
    return answer.content.decode()


def open_form(client, of, action):
    """The form of an action; that of a correction shows the message, so a POST opens it."""
    address = page(of, action)
    return client.post(address, {"open": "yes"}) if action == "correct" else client.get(address)


def submit(client, of, action, **typed):
    """Open the form, then POST it as a browser would."""
    shown = open_form(client, of, action)
    assert shown.status_code == 200
    return post_again(client, of, action, shown, **typed)


def post_again(client, of, action, shown, **typed):
    """POST what the form carries, with what was typed."""
    return post(client, of, action, shown.context["seen"], request_id=shown.context["request_id"], **typed)


def post(client, of, action, seen, **typed):
    return client.post(page(of, action), {"seen": seen, "reason": REASON} | typed)


def fresh(of):
    return InboxJob.objects.get(pk=of.pk)


CLAIMED = {"status": "PROCESSING", "locked_by": "worker B", "lease_id": CASE}


def claimed_and_failed(of):
    jobs = InboxJob.objects.filter(pk=of.pk)
    jobs.update(**CLAIMED | {"locked_at": seconds_ago(0)})
    jobs.update(status="FAILED", locked_by=None, locked_at=None, updated_at=seconds_ago(-1))


def dead_message(payload, **fields):
    """A DEAD job of Integration with its source row."""
    message_id = send(payload, CASE)
    defaults = {"status": "DEAD", "last_error": "bad", "error_kind": "BadMessage", "decision_tracking_id": CASE}
    defaults |= {"source": "integration", "message_type": "intake", "message_id": message_id}
    return job(**defaults | fields)


def run_integration():
    taken = claim(registry.source("integration"), worker_id="worker A", limit=10)
    return work(taken)


@pytest.mark.parametrize("status", ["NEW", "PROCESSING", "FAILED", "WAITING", "DEAD", "DONE"])
def test_the_page_offers_what_is_possible_and_each_does_what_it_says(client, status):
    made = job(status=status)
    text = text_of(client.get(page(made)))
    offered = {action.name for action in ACTIONS if f'href="{page(made, action.name)}"' in text}
    assert offered == {name for name, statuses in POSSIBLE.items() if status in statuses}
    for name in offered:
        one = job(status=status)
        assert submit(client, one, name, to="2031-02-03 04:05:06").status_code == 302
        assert fresh(one).status == AFTER.get(name, status)
        entry = InboxAudit.objects.get(object=f"job:{one.pk}")
        assert (entry.who, entry.reason, entry.before["status"]) == ("boss", REASON, status)
    for name in set(POSSIBLE) - offered:
        assert client.get(page(made, name)).status_code == 302
        assert post(client, made, name, client.get(page(made)).context["job"].status).status_code == 409
    assert fresh(made).status == status


def test_the_next_attempt_is_set_and_nothing_else(client):
    made = job(status="FAILED", attempt_count=3, next_attempt_at=seconds_ago(-3600))
    submit(client, made, "reschedule", to="2031-02-03 04:05:06")
    changed = fresh(made)
    assert changed.next_attempt_at.isoformat() == "2031-02-03T04:05:06+00:00"
    assert (changed.status, changed.attempt_count) == ("FAILED", 3)
    submit(client, made, "reschedule", to="")
    assert fresh(made).next_attempt_at < seconds_ago(-60)


def test_a_released_job_keeps_its_attempts_and_runs_alone(client):
    made = job(status="PROCESSING", attempt_count=2)
    submit(client, made, "release-lease")
    changed = fresh(made)
    assert (changed.attempt_count, changed.runs_alone, changed.locked_by) == (1, True, None)


def test_the_old_owner_of_a_released_lease_writes_nothing(client):
    made = job()
    taken = claim(probe_source(), worker_id="worker A", limit=1)
    submit(client, made, "release-lease")
    assert work(taken).lost == 1
    assert fresh(made).status == "NEW"


@pytest.mark.parametrize("name", ["requeue", "reschedule", "mark-dead", "correct"])
def test_a_job_claimed_since_the_form_was_shown_is_left_alone_and_nothing_typed_is_lost(client, name):
    made = dead_message({}) if name == "correct" else job(status="FAILED")
    before = open_form(client, made, name).context["seen"]
    with recorded_move("test"):
        InboxJob.objects.filter(pk=made.pk).update(status="NEW", updated_at=seconds_ago(0))
    InboxJob.objects.filter(pk=made.pk).update(**CLAIMED | {"locked_at": seconds_ago(0)})
    row = InboxJob.objects.filter(pk=made.pk).values().get()
    typed = {"content": '{"corrected": 1}', "message_type": "intake", "reason": "kept & typed"}
    answer = post(client, made, name, before, **typed)
    assert answer.status_code == 409
    assert "has changed meanwhile" in text_of(answer)
    assert "kept &amp; typed" in text_of(answer)
    assert "worker B" in text_of(answer)
    assert InboxJob.objects.filter(pk=made.pk).values().get() == row
    assert not InboxAudit.objects.exclude(verb="reveal").exists()
    assert not InboxCorrection.objects.exists()


def test_of_two_operators_the_second_is_told_and_loses_nothing(client):
    made = job(status="FAILED")
    seen = client.get(page(made, "mark-dead")).context["seen"]
    submit(client, made, "reschedule", to="2031-02-03 04:05:06")
    answer = post(client, made, "mark-dead", seen)
    assert answer.status_code == 409
    assert fresh(made).status == "FAILED"
    # The page that says so shows the job as it is now: to submit that is to decide upon it.
    assert post(client, made, "mark-dead", answer.context["seen"]).status_code == 302
    assert fresh(made).status == "DEAD"


def test_a_second_click_does_nothing_twice_and_is_no_error(client):
    made = job(status="DEAD")
    shown = open_form(client, made, "requeue")
    assert [post_again(client, made, "requeue", shown).status_code for _ in range(2)] == [302, 302]
    assert InboxAudit.objects.count() == 1
    # Also after the job has gone on.
    claimed_and_failed(made)
    assert post_again(client, made, "requeue", shown).status_code == 302
    assert fresh(made).status == "FAILED"


TWICE = {
    "correct": ({"content": '{"x": 1}', "message_type": "intake"}, {"content": '{"x": 2}', "message_type": "intake"}),
    "reschedule": ({"to": "2031-02-03 04:05:06"}, {"to": "2031-02-03 05:05:06"}),
    "requeue": ({}, {"reason": "another reason"}),
}


@pytest.mark.parametrize("name", TWICE)
def test_an_edit_of_a_form_that_was_carried_out_is_no_second_click_and_is_kept(client, name):
    first, second = TWICE[name]
    made = dead_message({}) if name == "correct" else job(status="FAILED")
    shown = open_form(client, made, name)
    assert post_again(client, made, name, shown, **first).status_code == 302
    row = InboxJob.objects.values().get()
    answer = post_again(client, made, name, shown, **second)
    assert answer.status_code == 409
    assert "submitted before, with other entries, and that was carried out" in text_of(answer)
    assert all(answer.context["form"][field].value() == value for field, value in second.items())
    assert InboxJob.objects.values().get() == row
    assert InboxAudit.objects.exclude(verb="reveal").count() == 1
    # The form is a new one: to submit it is a new wish.
    assert answer.context["request_id"] != shown.context["request_id"]
    if name == "reschedule":
        assert post_again(client, made, name, answer, **second).status_code == 302
        assert fresh(made).next_attempt_at.isoformat() == "2031-02-03T05:05:06+00:00"
    entry = InboxAudit.objects.exclude(verb="reveal").earliest("pk")
    assert entry.after["request_id"] == shown.context["request_id"]
    assert '"x"' not in json.dumps([entry.before, entry.after])


def test_the_same_reason_in_a_new_form_is_no_second_click(client):
    made = job(status="FAILED")
    assert submit(client, made, "requeue", reason="retry").status_code == 302
    claimed_and_failed(made)
    shown = open_form(client, made, "requeue")
    InboxJob.objects.filter(pk=made.pk).update(**CLAIMED | {"locked_at": seconds_ago(0)})
    answer = post_again(client, made, "requeue", shown, reason="retry")
    assert answer.status_code == 409
    assert "has changed meanwhile" in text_of(answer)
    assert InboxAudit.objects.count() == 1


def test_a_form_shown_again_that_did_nothing_stays_the_same_request(client):
    made = job(status="FAILED")
    shown = open_form(client, made, "mark-dead")
    again = post_again(client, made, "mark-dead", shown, reason="")
    assert again.context["request_id"] == shown.context["request_id"]
    InboxJob.objects.filter(pk=made.pk).update(updated_at=seconds_ago(-1))
    again = post_again(client, made, "mark-dead", again)
    assert (again.status_code, again.context["request_id"]) == (409, shown.context["request_id"])
    assert [post_again(client, made, "mark-dead", again).status_code for _ in range(2)] == [302, 302]
    assert InboxAudit.objects.count() == 1


@pytest.mark.parametrize("request_id", ["", "x", "\x00", "0" * 5000])
def test_a_request_without_a_good_id_does_its_deed_once(client, request_id):
    made = job(status="DEAD")
    seen = open_form(client, made, "requeue").context["seen"]
    answers = [post(client, made, "requeue", seen, request_id=request_id).status_code for _ in range(2)]
    assert answers == [302, 409]
    assert InboxAudit.objects.count() == 1


@pytest.mark.parametrize("seen", ["", "x", "DEAD - ", "DEAD -", "\x00"])
def test_a_form_that_does_not_say_what_was_seen_does_nothing(client, seen):
    made = job(status="DEAD")
    assert post(client, made, "requeue", seen).status_code == 409
    assert fresh(made).status == "DEAD"


def test_a_reason_is_needed(client):
    made = job(status="DEAD")
    seen = client.get(page(made, "requeue")).context["seen"]
    assert post(client, made, "requeue", seen, reason=" ").status_code == 200
    assert fresh(made).status == "DEAD"


@pytest.mark.parametrize("name", [*POSSIBLE, "correct", "reveal"])
def test_nothing_is_done_by_get(client, name):
    made = dead_message(esmd(CASE, beneficiary=MARKED)) if name != "release-lease" else job(status="PROCESSING")
    row = InboxJob.objects.values().get()
    for method in (client.get, client.head, client.put, client.delete):
        answer = method(page(made, name) + f"?reason={REASON}&seen=x&open=yes")
        assert answer.status_code in (200, 302, 405)
        assert MARKED not in text_of(answer)
    assert InboxJob.objects.values().get() == row
    assert not InboxAudit.objects.exists()


def test_a_post_without_a_token_is_refused(client):
    made = job(status="DEAD")
    client.handler.enforce_csrf_checks = True
    assert post(client, made, "requeue", client.get(page(made, "requeue")).context["seen"]).status_code == 403
    assert fresh(made).status == "DEAD"


ALLOWED = {
    "viewer": set(),
    "operator": set(POSSIBLE),
    "editor": {*POSSIBLE, "correct", "reveal"},
    "staff reviewer": set(),
}


@pytest.mark.parametrize("role", ALLOWED)
def test_each_role_sees_and_does_what_it_may_and_no_more(client, role):
    client = in_role(client, role)
    made = dead_message(esmd(CASE, beneficiary=MARKED))
    text = text_of(client.get(page(made)))
    assert MARKED not in text
    for name in [*POSSIBLE, "correct", "reveal"]:
        assert (f'"{page(made, name)}' in text) == (name in ALLOWED[role] & {"requeue", "correct", "reveal"}), name
        for answer in (
            client.get(page(made, name)),
            post(client, made, name, "x", content="{}", message_type="intake"),
        ):
            assert (answer.status_code == 403) == (name not in ALLOWED[role]) or answer.status_code == 405, name
    assert fresh(made).status == "DEAD"
    listing = text_of(client.get(reverse("admin:inbox_inboxjob_changelist")))
    assert ('<option value="requeue">' in listing) == ("requeue" in ALLOWED[role])


@pytest.mark.parametrize("role", ["viewer", "operator", "staff reviewer"])
def test_who_may_see_no_payload_finds_none_on_the_page_of_the_source_row_either(client, role):
    client = in_role(client, role)
    message_id = send(esmd(CASE, beneficiary=MARKED), CASE)
    text = text_of(client.get(reverse("admin:packets_integrationmessage_change", args=[message_id])))
    assert MARKED not in text
    assert "beneficiary" in text


def test_the_roles_are_there_with_permissions_that_exist_once():
    assert set(Group.objects.values_list("name", flat=True)) >= set(ALLOWED)
    names = Permission.objects.filter(codename__in=["operate_job", "correct_job", "reveal_payload", "view_inboxjob"])
    assert names.count() == 4


def test_a_payload_is_redacted_and_a_reveal_shows_it_and_is_logged(client):
    made = dead_message(esmd(CASE, beneficiary=MARKED))
    text = text_of(client.get(page(made)))
    assert MARKED not in text
    assert f"text, {len(MARKED)} characters" in text
    assert not InboxAudit.objects.exists()
    assert MARKED in text_of(client.post(page(made, "reveal")))
    entry = InboxAudit.objects.get()
    assert (entry.who, entry.verb, entry.object, entry.before) == ("boss", "reveal", f"job:{made.pk}", None)


def test_redacted_json_keeps_structure_types_and_lengths_and_no_value():
    value = {"payload": [MARKED, 7, 1.5, True, None], MARKED: {"b c": MARKED}, "Facility Provider NPI": ""}
    assert redacted(value) == {
        "payload": [f"text, {len(MARKED)} characters", "number", "number", "true or false", None],
        f"key 2, {len(MARKED)} characters": {"key 1, 3 characters": f"text, {len(MARKED)} characters"},
        "Facility Provider NPI": "text, 0 characters",
    }


@pytest.mark.parametrize("key", ["fileName", "file_name", "Beneficiary First Name", "esmdTransactionId", "NPI"])
def test_a_key_of_known_words_is_shown(key):
    assert redacted({key: 1}) == {key: "number"}


@pytest.mark.parametrize("key", ["", " ", "John Doe", "JOHN", "name1", "name\n", "Nname", "фамилия", "name of John"])
def test_a_key_that_may_be_a_value_is_not_shown(key):
    assert key not in redacted({key: 1})


def test_the_keys_of_good_messages_are_shown():
    good = [json.loads(message.payload) for message in sample_messages(50, seed=1, broken_share=0)]
    for message in [*good, payload(), decision()]:
        assert "key " not in json.dumps(redacted(message))


@pytest.mark.parametrize("payload", ['{"n": %s}' % ("9" * 5000), "[" * 3000 + "]" * 3000, "null", "{}", "[]", '"x"'])
def test_any_payload_is_shown(client, payload):
    made = dead_message(payload)
    assert client.get(page(made)).status_code == 200
    assert client.post(page(made, "reveal")).status_code == 200
    assert open_form(client, made, "correct").status_code == 200


NUMBERS = ["12345678901234567.89", "1.10", "0.1234567890123456789", "-0.10", "1" + "0" * 400, "9" * 4000 + ".5"]


def test_a_number_stays_as_it_came_when_it_is_revealed_corrected_and_stored(client):
    words = json.dumps('a, [b] {c}: \\" 1.10 é \n')
    made = dead_message(f'{{"of": [{", ".join(NUMBERS)}], "text": {words}}}')
    [came] = IntegrationMessage.objects.annotate(text=Cast("payload", TextField())).values_list("text", flat=True)
    lines = [f"    {number}" for number in NUMBERS]
    assert ",\n".join(lines) in text_of(client.post(page(made, "reveal")))
    row = reverse("admin:packets_integrationmessage_reveal", args=[made.message_id])
    assert ",\n".join(lines) in text_of(client.post(row))
    shown = open_form(client, made, "correct")
    content = shown.context["form"]["content"].value()
    assert ",\n".join(lines) in content
    assert json.loads(content) == json.loads(came)
    assert post_again(client, made, "correct", shown, content=content, message_type="intake").status_code == 302
    assert corrected_texts([made.pk]) == {made.pk: came}


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "0", '""', '"[{"', '{"a": {}, "b": [[]]}', '{"a": [1, {"b": null}], "c": true}', '[[], "\\\\"]'],
)
def test_a_json_text_is_indented_as_is_usual(text):
    assert indented(text, 1000) == json.dumps(json.loads(text), indent=2)


@pytest.mark.parametrize("text", ["[" * 3000 + "]" * 3000, '"%s"' % ("x" * 1_000_000)])
def test_a_text_that_indentation_makes_endless_stays_as_it_is(text):
    assert indented(text, 1_000_000) == text


def test_a_message_as_long_as_the_form_takes_goes_there_and_back(client):
    """Of four bytes a character, and one that indentation would make too long."""
    for text in (json.dumps("\U0001f600" * 999_998, ensure_ascii=False), json.dumps([0] * 330_000)):
        made = dead_message(text)
        shown = open_form(client, made, "correct")
        content = shown.context["form"]["content"].value()
        assert content == text
        assert 'enctype="multipart/form-data"' in text_of(shown)
        answer = post_again(client, made, "correct", shown, content=content, message_type="intake", reason="é" * 2000)
        assert answer.status_code == 302
        assert corrected_texts([made.pk]) == {made.pk: text}


def test_a_message_that_no_form_takes_is_not_offered_nor_revealed_and_the_reason_is_said(client):
    made = dead_message(json.dumps("x" * 999_999))
    says = "the message has 1,000,001 characters, and the form takes 1,000,000"
    text = text_of(client.get(page(made)))
    assert f"Correct and requeue is not possible: {says}" in text
    assert "job-correct" not in text
    assert says in text_of(client.post(page(made, "correct"), {"open": "yes"}, follow=True))
    assert not InboxAudit.objects.exists()
    assert "not possible" not in text_of(
        client.get(page(job(status="DONE", source="integration", message_id=made.message_id, revision=2)))
    )


def test_ends_of_lines_count_once_as_they_are_shown(client):
    made = dead_message({})
    content = "[" + "\n" * 499_999 + "\n" * 499_999 + "]"
    answer = submit(client, made, "correct", content=content.replace("\n", "\r\n"), message_type="intake")
    assert answer.status_code == 302
    assert InboxAudit.objects.get(verb="correct").after["characters"] == 1_000_000


def test_a_text_that_is_too_long_is_kept_in_the_form(client):
    made = dead_message({})
    answer = submit(client, made, "correct", content='"%s"' % ("x" * 999_999), message_type="intake")
    assert answer.status_code == 200
    assert "at most 1000000 characters" in text_of(answer)
    assert "x" * 999_999 in text_of(answer)


def test_a_bad_message_is_corrected_handled_and_stays_as_it_came(client):
    made = dead_message({"documents": "none"})
    good = esmd(CASE, submission_metadata={"creationTime": "2031-02-03T04:05:06Z", "esmd_transaction_id": MARKED})
    answer = submit(client, made, "correct", content=json.dumps(good, indent=2), message_type="intake")
    assert answer.status_code == 302
    assert fresh(made).status == "NEW"
    assert run_integration().done == 1
    assert Packet.objects.get().case_id == MARKED
    assert IntegrationMessage.objects.get().payload == {"documents": "none"}
    text = text_of(client.get(page(made)))
    assert "Corrected, and handled" in text
    assert MARKED not in text
    entry = InboxAudit.objects.get(verb="correct")
    assert entry.after["characters"] == len(json.dumps(good, indent=2))
    assert MARKED not in json.dumps([entry.before, entry.after, entry.reason])


def test_the_newest_correction_counts_and_its_type(client):
    made = dead_message({"message_type": "nobody knows this"}, message_type="unknown")
    submit(client, made, "correct", content="{}", message_type="intake")
    assert run_integration().dead == 1
    submit(client, made, "correct", content=json.dumps(esmd(CASE)), message_type="intake")
    assert run_integration().done == 1
    assert fresh(made).message_type == "intake"
    assert InboxCorrection.objects.count() == 2


@pytest.mark.parametrize(
    "content", ["", "{", "NaN", '{"a": "\\u0000"}', '"\\ud800"', "9" * 5000, "[" * 3000 + "]" * 3000]
)
def test_what_is_no_json_is_refused_and_kept_in_the_form(client, content):
    made = dead_message({})
    answer = submit(client, made, "correct", content=content, message_type="intake")
    assert answer.status_code == 200
    assert "errorlist" in text_of(answer)
    assert fresh(made).status == "DEAD"


def test_the_correction_of_a_pruned_job_goes_with_it_and_none_is_changed(client):
    made = dead_message({})
    submit(client, made, "correct", content="{}", message_type="intake")
    with pytest.raises(Exception, match="append-only"), transaction.atomic():
        InboxCorrection.objects.update(content={"b": 1})
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM integration_inbox WHERE inbox_id = %s", [made.pk])
    assert not InboxCorrection.objects.exists()


def test_a_job_without_a_message_can_not_be_corrected(client):
    made = job(status="DEAD", source="json_generator", message_type="generate_payload")
    assert "Correct and requeue" not in text_of(client.get(page(made)))
    assert open_form(client, made, "correct").status_code == 302


def test_the_page_tells_the_story_of_a_job_and_what_goes_with_it(client):
    packet, _ = open_packet(CASE, channel=Channel.ESMD, by="ada", reason="called")
    errors = [
        {"attempt": 1, "worker": "worker A", "at": "2031-02-03T04:05:06+00:00", "kind": "Odd", "message": "broken"}
    ]
    made = dead_message(esmd(CASE), errors=[*errors, {"at": "never"}, 7], finished_at=seconds_ago(1))
    other = job(decision_tracking_id=CASE)
    text = re.sub(r"\s+", " ", text_of(client.get(page(made))))
    for part in ["Source row written", "Taken in", "Attempt 1 failed", "worker A", "Odd: broken", packet.external_id]:
        assert part in text
    assert f'href="{page(other)}"' in text
    assert reverse("admin:packets_integrationmessage_change", args=[made.message_id]) in text


def test_the_page_says_who_has_the_job_and_whether_that_is_alive(client):
    text = text_of(client.get(page(job(status="PROCESSING", locked_by="worker A", locked_at=seconds_ago(600)))))
    assert "worker A" in text
    assert "will be reclaimed" in text


TIMES = ["-infinity", "4000-01-01 BC", "0001-01-01", "9999-12-31 23:59", "20000-01-01", "infinity"]
COLUMNS = {
    "next_attempt_at": "FAILED",
    "locked_at": "PROCESSING",
    "waiting_since": "WAITING",
    "started_at": "FAILED",
    "finished_at": "DEAD",
    "created_at": "FAILED",
    "updated_at": "DEAD",
}


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_time_that_python_has_not_breaks_no_page_and_no_action(client, settings, column, time):
    settings.TIME_ZONE = "America/New_York"
    made = job(status=COLUMNS[column], finished_by="worker A" if column == "finished_at" else None)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE integration_inbox SET {column} = %s WHERE inbox_id = %s", [time, made.pk])
    listing = reverse("admin:inbox_inboxjob_changelist")
    for address in (
        listing,
        f"{listing}?status__exact={made.status}",
        f"{listing}?open_for=3600",
        f"{listing}?q={made.pk}",
    ):
        assert client.get(address).status_code == 200
    assert "not readable" in text_of(client.get(page(made))) or column in ("waiting_since", "started_at")
    for name, statuses in POSSIBLE.items():
        if made.status in statuses:
            assert open_form(client, made, name).status_code == 200
    name = "release-lease" if made.status == "PROCESSING" else "requeue"
    assert submit(client, made, name).status_code == 302
    assert fresh(made).status == "NEW"


@pytest.mark.parametrize("at", ["0001-01-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00", "12:00", "", None, 7])
def test_a_failed_attempt_at_any_time_is_told(client, settings, at):
    settings.TIME_ZONE = "America/New_York"
    error = {"attempt": 1, "worker": "worker A", "kind": "Odd", "message": "broken", "at": at}
    made = job(status="FAILED", errors=[error, error | {"at": "2031-02-03T04:05:06"}])
    text = text_of(client.get(page(made)))
    assert "not readable" in text
    assert "Odd: broken" in text
    assert "2031-02-02 23:05:06" in text


def test_what_was_seen_at_a_time_that_python_has_not_is_known_to_have_changed(client):
    made = job(status="FAILED")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integration_inbox SET updated_at = 'infinity' WHERE inbox_id = %s", [made.pk])
    shown = open_form(client, made, "requeue")
    InboxJob.objects.filter(pk=made.pk).update(updated_at=seconds_ago(0))
    assert post_again(client, made, "requeue", shown).status_code == 409
