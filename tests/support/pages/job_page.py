"""The page of a job as a browser uses it: open a form, fill it in, submit it."""

from django.contrib.auth.models import Group, User
from django.urls import reverse

from inbox import registry
from inbox.engine.claim import claim
from inbox.engine.work import work
from inbox.models import InboxJob
from tests.support.rows import job, seconds_ago, send, tracking_id

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


def in_role(client, role):
    """Log a new person of that role in; returns them."""
    user = User.objects.create_user(f"a {role}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def page(of, action="change"):
    """The address of a page of the job."""
    return reverse(f"admin:inbox_inboxjob_{action}", args=[of.pk])


def text_of(answer):
    """The HTML of a response."""
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
    """POST an action with what was seen and typed."""
    return client.post(page(of, action), {"seen": seen, "reason": REASON} | typed)


def fresh(of):
    """The job as it is now."""
    return InboxJob.objects.get(pk=of.pk)


CLAIMED = {"status": "PROCESSING", "locked_by": "worker B", "lease_id": CASE}


def claimed_and_failed(of):
    """Let the job be claimed and fail, a moment later than any page was shown."""
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
    """Claim and work on what is due of Integration; returns how the attempts ended."""
    taken = claim(registry.source("integration"), worker_id="worker A", limit=10)
    return work(taken)
