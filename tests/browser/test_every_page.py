"""No page of the admin is too wide for its screen, lacks a file, or is refused anything by its own security policy."""

import pytest
from django.contrib import admin
from django.urls import reverse

from inbox.models import InboxCorrection, InboxJob, PollWatermark, SourcePause
from tests.browser.screens import fits, keep
from tests.support.cases import utn
from tests.support.clinical import write_decision, write_payload
from tests.support.drain import drain_all
from tests.support.rows import esmd, seconds_ago, send, tracking_id
from tests.support.workers import worker

pytestmark = pytest.mark.django_db(transaction=True)

# The others are only checked to fit.
KEPT = {"packets_packet", "packets_integrationmessage"}


def a_row_of_everything():
    send(esmd(), tracking_id(1))
    write_decision(1)
    write_payload(1)
    utn(1)
    drain_all()
    worker()
    made = InboxJob.objects.order_by("pk").first()
    InboxCorrection.objects.create(job=made, content={}, made_by="eda")
    PollWatermark.objects.get_or_create(source="integration")
    SourcePause.objects.create(source="json_generator", reason="no connection", next_try_at=seconds_ago(0))


def test_every_list_and_page_fits_and_is_complete(visit):
    a_row_of_everything()
    page = visit("boss")
    for model in admin.site._registry:
        name = model._meta.label_lower.replace(".", "_")
        see = keep if name in KEPT else fits
        page.goto(reverse(f"admin:{name}_changelist"))
        see(page, f"list-{name}")
        if row := model._default_manager.order_by("pk").last():
            page.goto(reverse(f"admin:{name}_change", args=[row.pk]))
            see(page, f"page-{name}")
    page.goto(reverse("admin:packets_packet_add"))
    fits(page, "packet-add")
