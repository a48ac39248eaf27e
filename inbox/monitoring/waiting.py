"""Why one open job is not being worked on right now, as a sentence for its page."""

from inbox import registry
from inbox.engine.hold_up import HELD_UP
from inbox.models import InboxJob, InboxWorker, SourcePause
from inbox.monitoring.age import Age, finite, in_words
from inbox.statuses import DUE_STATUSES, Status
from inbox.worker.liveness import list_gone


def why_waiting(job: InboxJob) -> str | None:
    """The reason, and what to do if it needs somebody; None for a job that has ended or that a worker has."""
    if job.status not in DUE_STATUSES:
        return None
    source = registry.find(job.source)
    if source is None or job.message_type not in source.message_types:
        return f"No handler here for {job.source}/{job.message_type}. Start the version of this program that has one."
    due_in_s = InboxJob.objects.filter(pk=job.pk).values_list(-Age("next_attempt_at"), flat=True).first()
    if due_in_s is not None and due_in_s > 0:
        what = f"It waits for {job.note}. " if job.status == Status.WAITING and job.note else ""
        if job.status == Status.NEW and job.note and job.note.startswith(HELD_UP):
            what = f"It is {job.note}. "
        when = f"in {in_words(due_in_s)}" if finite(due_in_s) is not None else "never"
        return f"{what}The next attempt is {when}."
    if pause := SourcePause.objects.filter(pk=job.source).first():
        return f"{job.source} is paused: {pause.reason}. One job at a time probes it."
    running = InboxWorker.objects.filter(state=InboxWorker.State.RUNNING, command=source.command)
    if not running.exclude(pk__in=list_gone()).exists():
        return f"No {source.command} is running. Start one: manage.py {source.command}"
    return "It is due. A worker claims it after the jobs that became due earlier."
