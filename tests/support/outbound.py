"""Outbound work of the source `test`: calls that a test can hold up, and workers that run beside it."""

import threading
from collections import Counter
from contextlib import contextmanager

from django.db import connection

from inbox.models import InboxJob
from inbox.outcomes import done
from inbox.registry import Outbound, Source
from inbox.worker.loop import Worker

PATIENCE_S = 20


class Service:
    """A service: each call waits until the test lets it go. The request of a job is its message_id.

    `answers` holds outcomes by request, called if they can be; done is the answer of all others.
    """

    def __init__(self, answers=None, *, is_open=False):
        self.answers = answers or {}
        self.calls = Counter()
        self.most_at_once = 0
        self._inside = set()
        self._let_go = set()
        self._is_open = is_open
        self._changed = threading.Condition()

    def call(self, request):
        with self._changed:
            self.calls[request] += 1
            self._inside.add(request)
            self.most_at_once = max(self.most_at_once, len(self._inside))
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_open or request in self._let_go, PATIENCE_S)
            self._inside.remove(request)
        answer = self.answers.get(request, done())
        return answer() if callable(answer) else answer

    def wait_for(self, count):
        """Wait until so many calls are inside; returns their requests."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._inside) >= count, PATIENCE_S), "they did not come"
            return sorted(self._inside)

    def let_go(self, *requests):
        """Answer the calls of these requests."""
        with self._changed:
            self._let_go.update(requests)
            self._changed.notify_all()

    def open(self):
        """Answer all calls from now on."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()


def outbound_source(service, prepare=None, finish=None, name="test"):
    """A source of outbound calls to the service; by default every job is called for, and its answer is its outcome."""
    outbound = Outbound(
        prepare=prepare or (lambda jobs: [job.message_id for job in jobs]),
        call=service.call,
        finish=finish or (lambda jobs, answers: answers),
    )
    return Source(name=name, command="none", outbound={"probe": outbound})


def outbound_worker(*sources, **options):
    """A worker of this process for these sources."""
    defaults = {"batch_size": 200, "poll_interval_s": 0.05, "worker_id": "worker A", "concurrency": 4}
    return Worker(sources=sources, **defaults | options)


@contextmanager
def running(*workers, service=None):
    """Run the workers during the block, each in a thread with a connection of its own."""
    errors = []

    def run(worker):
        try:
            worker.run()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[worker]) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for worker in workers:
            worker.stop.ask()
        if service:
            service.open()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def statuses():
    """How many jobs have each status."""
    return dict(Counter(InboxJob.objects.values_list("status", flat=True)))


def status_of(message_id):
    """The status of the job of a message."""
    return InboxJob.objects.get(message_id=message_id).status
