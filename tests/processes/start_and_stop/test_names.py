"""Names that are no text, as a shell or a host may give them."""

import pytest

from inbox.models import InboxWorker

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_worker_id_of_bytes_that_are_no_text_is_cleaned(run_command):
    code, _, err = run_command("run_inbox_worker", "--once", "--worker-id", b"w\xff1")
    assert code == 0, err
    assert InboxWorker.objects.get().worker_id == "w?1"
    assert "worker_id: w?1" in err
