"""Staff approve a packet, dismiss another, and read what happened, oldest first."""

import pytest
from playwright.sync_api import expect

from decisions.models import SendClinicalOps
from packets.models import Packet
from tests.browser.screens import keep
from tests.support.cases import affirmed, answer
from tests.support.drain import drain
from tests.support.rows import esmd, send, tracking_id

pytestmark = pytest.mark.django_db(transaction=True)


def came(number: int) -> Packet:
    """A packet whose intake was handled."""
    send(esmd(), tracking_id(number))
    drain()
    return Packet.objects.get(decision_tracking_id=tracking_id(number))


def find(page, of: Packet):
    page.goto("/admin/packets/packet/")
    page.get_by_role("textbox", name="Search").fill(of.external_id)
    page.keyboard.press("Enter")
    page.locator("#result_list").get_by_role("link", name=of.external_id).click()
    page.wait_for_url(f"**/{of.pk}/change/*")


def column(page, heading: str, number: int) -> list[str]:
    """The texts of a column of the history, from top to bottom."""
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    rows = page.locator(".module").filter(has=page.get_by_role("heading", name=heading)).locator("tbody tr")
    return [row.locator("td, th").nth(number).inner_text() for row in rows.all()]


def test_staff_approve_one_packet_and_dismiss_another(visit):
    first, second = came(1), came(2)
    page = visit("sam", "staff reviewer")
    find(page, first)
    keep(page, "packet-new")
    page.get_by_role("link", name="Approve").click()
    page.get_by_label("Reason").fill("all documents are here")
    keep(page, "packet-approve")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".messagelist")).to_contain_text("Pending - Clinical Review")
    assert SendClinicalOps.objects.get().decision_tracking_id == first.decision_tracking_id
    assert column(page, "Events, oldest first", 1) == ["Created", "Decided"]
    assert column(page, "Events, oldest first", 4) == ["—", "approve: all documents are here"]

    find(page, second)
    page.get_by_role("link", name="Dismiss").click()
    page.get_by_label("Denial reason").select_option("INVALID_PECOS")
    page.get_by_label("Reason:", exact=True).fill("the provider is not enrolled")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing has been changed")
    expect(page.get_by_label("Reason:", exact=True)).to_have_value("the provider is not enrolled")
    keep(page, "packet-dismiss-incomplete")
    page.get_by_label("Explanation").fill("no enrollment on record")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_label("Decision now")).to_contain_text("DISMISSAL (INVALID_PECOS)")
    [said] = column(page, "Decision versions, oldest first", 3)
    assert "no enrollment on record" in said
    assert column(page, "Decision versions, oldest first", 4) == ["dismiss: the provider is not enrolled"]
    keep(page, "packet-dismissed")


def test_of_two_reviewers_the_second_is_told_what_is_decided_and_loses_nothing(visit):
    made = came(1)
    sam, tea = visit("sam", "staff reviewer"), visit("tea", "staff reviewer")
    for page, button in ((sam, "Approve"), (tea, "Dismiss")):
        find(page, made)
        page.get_by_role("link", name=button).click()
    tea.get_by_label("Denial reason").select_option("OTHER")
    tea.get_by_label("Reason in the denial").fill("twice sent")
    tea.get_by_label("Reason:", exact=True).fill("see the other case")
    sam.get_by_label("Reason").fill("fine")
    sam.get_by_role("button", name="Approve").click()
    expect(sam.get_by_label("Decision now")).to_contain_text("APPROVE")

    tea.get_by_role("button", name="Dismiss").click()
    expect(tea.get_by_role("alert")).to_contain_text("Nothing has been changed")
    expect(tea.get_by_label("Decision now")).to_contain_text("by sam")
    expect(tea.get_by_label("Denial reason")).to_have_value("OTHER")
    expect(tea.get_by_label("Reason in the denial")).to_have_value("twice sent")
    expect(tea.get_by_label("Reason:", exact=True)).to_have_value("see the other case")
    keep(tea, "packet-changed-meanwhile")
    assert Packet.objects.get().detailed_status == "Pending - Clinical Review"


def test_a_long_history_is_in_reading_order_and_fits(visit):
    made = affirmed()
    for second in range(1, 5):
        says = {"answer": "NON_AFFIRM" if second % 2 else "AFFIRM"}
        answer(made, says, second=second, message_id=10 + second)
    answer(made, {"is_success": True, "utn": "UTN-FAKE-000001"}, kind="utn", second=9, message_id=20)
    page = visit("vera", "viewer")
    find(page, made)
    expect(page.locator(".submit-row input")).to_have_count(0)
    expect(page.get_by_role("link", name="Dismiss")).to_have_count(0)
    versions = column(page, "Decision versions, oldest first", 0)
    assert len(versions) >= 6
    assert versions == sorted(versions, key=lambda text: int(text.split()[0]))
    assert versions[-1].endswith("now")
    times = column(page, "Events, oldest first", 0)
    assert times == sorted(times)
    keep(page, "packet-history")
    assert page.request.get(f"/admin/packets/packet/{made.pk}/approve/").status == 403
