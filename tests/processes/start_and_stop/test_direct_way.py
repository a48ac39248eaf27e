"""A direct way to the database that accepts connections and never answers, as behind a broken firewall or proxy."""

import signal
import socket

import pytest

from inbox.models import InboxJob, InboxWorker
from tests.support.probe import wait_until
from tests.support.rows import esmd, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_worker_works_while_the_direct_way_does_not_answer(start_command):
    message = send(esmd(), tracking_id(1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none?connect_timeout=600"
        worker = start_command("run_inbox_worker", DATABASE_DIRECT_URL=url)
        with silent.accept()[0]:
            wait_until(lambda: InboxJob.objects.filter(message_id=message, status="DONE").exists(), timeout_s=60)
            worker.send_signal(signal.SIGTERM)
            _, err = worker.communicate(timeout=60)
            assert worker.returncode == 0, err
            assert "no connection for presence; going on without" in err
    assert [(row.state, row.has_presence) for row in InboxWorker.objects.all()] == [("STOPPED", False)]
