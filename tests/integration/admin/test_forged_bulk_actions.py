"""A forged request to an action on many jobs does nothing."""

from types import SimpleNamespace

import pytest
from django.contrib.admin import site
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied
from django.http import QueryDict

from inbox.admin_pages.job_list.bulk_action import act_on_many, ask_about_many
from inbox.admin_pages.seen import look, seen
from inbox.models import InboxAudit, InboxJob
from inbox.operations.verbs import OPERATIONS
from tests.support.pages.forged_posts import LIST, operator, page, text_of
from tests.support.rows import job

pytestmark = pytest.mark.django_db


def test_an_action_on_many_asks_for_its_permission_itself():
    jobs, action = site.get_model_admin(InboxJob), OPERATIONS[0]
    request = SimpleNamespace(user=User.objects.create_user("nobody"), POST={}, GET=QueryDict())
    with pytest.raises(PermissionDenied):
        ask_about_many(jobs, request, InboxJob.objects.all(), action)
    made = job(status="FAILED")
    seen_jobs = look(InboxJob.objects.filter(pk=made.pk))
    request.POST = {"action": action.name, "reason": "x", "seen": seen_jobs.as_text(f"{request.user.pk} requeue ")}
    with pytest.raises(PermissionDenied):
        act_on_many(jobs, request)


def confirmed(shown, **more):
    """The form of the page that asks for confirmation, as a browser sends it."""
    names = ("action", "select_across", "seen")
    context = shown.context
    values = {
        "action": context["action"].name,
        "select_across": "1" if context["is_all"] else "0",
        "seen": context["seen"],
        ACTION_CHECKBOX_NAME: context["selected"],
    }
    assert all(f'name="{name}"' in text_of(shown) for name in names)
    return values | {"reason": "x"} | more


@pytest.mark.parametrize("arrives_at", ["", "?status__exact=DEAD", "?status__exact=FAILED&source=test"])
def test_what_was_asked_of_a_filter_is_not_done_to_another(arrives_at):
    """A request can lose its query on the way; without it all jobs would be meant."""
    client = operator()
    asked = "?status__exact=FAILED"
    made = [job(status=status) for status in ("FAILED", "DEAD", "FAILED")]
    ask = {"action": "requeue", ACTION_CHECKBOX_NAME: [made[0].pk], "select_across": "1"}
    shown = client.post(LIST + asked, ask)
    again = client.post(LIST + arrives_at, confirmed(shown))
    assert again.status_code == 200
    assert again.context["seen"] != shown.context["seen"]
    assert not InboxAudit.objects.exists()
    assert client.post(LIST + arrives_at, confirmed(again)).status_code == 302
    expected = {"": 3, "?status__exact=DEAD": 1, "?status__exact=FAILED&source=test": 2}[arrives_at]
    assert InboxAudit.objects.count() == expected


@pytest.mark.parametrize("key", ["x", "-1", "1 OR 1=1", "", "٣", "9" * 5000, str(2**63)], ids=lambda key: key[:20])
def test_a_selection_of_what_is_no_job_does_nothing(key):
    client = operator()
    made = job(status="FAILED")
    shown = client.post(LIST, {"action": "requeue", ACTION_CHECKBOX_NAME: [made.pk], "select_across": "0"})
    data = confirmed(shown) | {ACTION_CHECKBOX_NAME: [key]}
    assert client.post(LIST, data).status_code == 400
    assert InboxJob.objects.get().status == "FAILED"


OF_OLD = {"confirmed": "yes", "filters": "", "shown_at": "2031-02-30"}


@pytest.mark.parametrize(
    "forged", [None, "", "x", ".eJw:1:x", "cut", "longer", "of another person", "of another action"]
)
def test_the_page_of_another_person_or_action_does_nothing(forged):
    """It asks again: whoever can write what a page counted needs no page, and one of old may hold no time at all."""
    client, other = operator(), operator()
    made = job(status="FAILED")
    asked = {"action": "mark-dead", ACTION_CHECKBOX_NAME: [made.pk], "select_across": "0"}
    text = client.post(LIST, asked).context["seen"]
    match forged:
        case "cut":
            forged = text[:-1]
        case "longer":
            forged = f"{text}x"
        case "of another person":
            forged = other.post(LIST, asked).context["seen"]
        case "of another action":
            forged = client.post(LIST, asked | {"action": "requeue"}).context["seen"]
    field = {} if forged is None else {"seen": forged}
    again = client.post(LIST, asked | OF_OLD | field | {"reason": "x"})
    assert again.status_code == 200
    assert not InboxAudit.objects.exists()
    assert client.post(LIST, confirmed(again)).status_code == 302
    assert InboxJob.objects.get().status == "DEAD"


@pytest.mark.parametrize("name", [action.name for action in OPERATIONS])
def test_an_action_on_many_takes_only_what_it_can_be_done_to(name):
    made = [job(status=status) for status in ("NEW", "PROCESSING", "FAILED", "WAITING", "DEAD", "DONE")]
    [action] = [action for action in OPERATIONS if action.name == name]
    possible = set(action.possible(InboxJob.objects.all()).values_list("pk", flat=True))
    client = operator()
    shown = client.post(LIST, {"action": name, ACTION_CHECKBOX_NAME: [one.pk for one in made], "select_across": "1"})
    assert shown.context["count"] == len(possible)
    client.post(LIST, confirmed(shown, to=""))
    assert {int(entry.object.partition(":")[2]) for entry in InboxAudit.objects.all()} == possible


def test_an_unknown_action_does_nothing():
    made = job(status="FAILED")
    for name in ("delete_selected", "correct", "reveal", "approve", ""):
        data = {
            "action": name,
            ACTION_CHECKBOX_NAME: [made.pk],
            "select_across": "1",
            "post": "yes",
            "confirmed": "yes",
        }
        operator().post(LIST, data)
    assert InboxJob.objects.get().status == "FAILED"
    assert not InboxAudit.objects.exists()


def test_a_person_who_loses_the_permission_between_the_form_and_its_post_does_nothing():
    client = operator()
    made = job(status="FAILED")
    shown = client.post(LIST, {"action": "requeue", ACTION_CHECKBOX_NAME: [made.pk], "select_across": "0"})
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.set(Permission.objects.filter(codename="view_inboxjob"))
    assert client.post(page(made, "requeue"), {"seen": seen(made), "reason": "x"}).status_code == 403
    client.post(LIST, confirmed(shown))
    assert InboxJob.objects.get().status == "FAILED"
    user.is_active = False
    user.save()
    assert "/login/" in client.get(page(made)).url
