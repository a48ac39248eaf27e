"""The page of verify_locks: it fits, can be read in light and dark, loads nothing, and needs no script."""

from tests.browser.screens import keep
from tests.support.verification.made_up_report import mixed_report
from verification.report.html import as_html


def test_the_page_of_a_report_fits_and_can_be_read(chromium, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(as_html(mixed_report()))
    context = chromium.new_context()
    page, asked, wrong = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.goto(path.as_uri())
    closed = page.locator("details:not([open]) > summary")
    while closed.count():
        closed.first.click()
    keep(page, "lock-report")
    context.close()
    assert (asked, wrong) == ([path.as_uri()], [])


def test_what_a_round_saw_is_printed(chromium, tmp_path):
    page = chromium.new_page()
    page.set_content(as_html(mixed_report()))
    proved = page.locator("#good article")
    seen, seen_without = proved.locator("> details table"), proved.locator(".removal details table")
    assert not seen.is_visible()
    page.emulate_media(media="print")
    assert seen.is_visible()
    assert not seen_without.is_visible()
    page.close()
