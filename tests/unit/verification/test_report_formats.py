"""Each format tells all of a report, and nothing in a name or an error text can act as markup or steer a terminal."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from verification.findings import SetUp
from verification.report.data import as_data
from verification.report.html import as_html
from verification.report.markdown import as_markdown
from verification.report.model import Report
from verification.report.text import as_text
from verification.results import ProofResult, Verdict

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """The tags and the text of a page; raises AssertionError where tags are not nested."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = set(), [], [], ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


ALL = {
    "text": lambda report: as_text(report, is_detailed=True),
    "markdown": as_markdown,
    "html": lambda report: re.sub(r"\s+", " ", Page(as_html(report)).text),
    "json": lambda report: json.dumps(as_data(report), ensure_ascii=False),
}
each_format = pytest.mark.parametrize("form", ALL.values(), ids=ALL)


@each_format
def test_all_of_a_report_is_told(form, mixed):
    told = re.sub(r"\s+", " ", form(mixed).replace("\\", ""))
    for text in (
        "PostgreSQL 18.1",
        "serviceops at db.example:5432, as serviceops_web",
        "data checksums",
        "the process that proves ended with exit code -9",
        "Two claims never share a job, says Good row.",
        "SKIP LOCKED",
        "inbox/engine/claim.py",
        "MARK_CLAIMED",
        "index inbox_due",
        "lock_timeout",
        "is missing",
        "CREATE INDEX inbox_due ON …",
        "two sessions claim",
        "No job is in two claims.",
        "a claim skips what is locked",
        "job 5 is in 2 claims",
        "job 7",
        "NotStill",
        "REVOKE UPDATE …",
        "Row without a proof",
        "Not every row is proved.",
        "verify_locks --audit",
    ):
        assert text.lower() in told.lower(), text


@pytest.mark.parametrize("form", [ALL["text"], as_markdown, as_html], ids=["text", "markdown", "html"])
def test_no_control_character_is_let_through(form, mixed):
    assert not [letter for letter in form(mixed) if not letter.isprintable() and letter != "\n"]


def test_text_keeps_the_lines_of_what_the_process_that_proves_said(proved):
    lines = as_text(replace(proved, why_no_proofs="It ended.\nTraceback\nValueError: no")).splitlines()
    at = next(number for number, line in enumerate(lines) if line.endswith("It ended."))
    assert [line.strip() for line in lines[at + 1 : at + 3]] == ["Traceback", "ValueError: no"]


def test_text_fits_80_columns(mixed):
    assert max(len(line) for line in as_text(mixed, is_detailed=True).splitlines()) <= 80


def test_text_has_one_line_per_row_and_details_only_of_what_is_not_proved(mixed, proved):
    lines = as_text(mixed).splitlines()
    for one in mixed.rows:
        assert len([line for line in lines if line.startswith(f"{one.row.number:<4}{one.row.title[:3]}")]) == 1
    text = as_text(mixed)
    assert "Broken row: FAILED" in text
    assert "without   a claim skips what is locked: DID NOT BREAK in 20 rounds" in text
    assert "missing   1 of 2 proofs" in text
    assert "Good row: proved" not in text
    assert "Good row: proved" in as_text(proved, is_detailed=True)
    assert "promise" not in as_text(proved)


def test_text_tells_a_command_once(mixed):
    twice = replace(mixed, rows=[mixed.rows[1], replace(mixed.rows[2], findings=mixed.rows[1].findings)])
    text = as_text(twice)
    assert text.count("mend      CREATE INDEX") == 1
    assert text.count("mend      as in row 2") == 1
    assert text.count("WRONG     index inbox_due is missing.") == 2


def test_a_finding_does_not_repeat_the_promise_of_its_row(mixed):
    row = mixed.rows[1]
    finding = replace(row.findings[0], endangers=row.row.promise)
    report = replace(mixed, rows=[replace(row, findings=[finding])])
    for form in ALL.values():
        assert form(report).count("Two claims never share a job") == (2 if form is ALL["json"] else 1)


def test_text_lines_of_an_entry_are_aligned(mixed):
    lines = as_text(mixed).splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith("     WRONG"))
    assert lines[begin].index("index inbox_due") == 15
    story = lines.index("               No job is in two claims.")
    assert lines[story - 1].startswith("     proof     two sessions claim")


def test_markdown_markup_in_names_is_escaped(mixed):
    text = as_markdown(mixed)
    assert "<script" not in text.replace("\\<script", "")
    assert r"\| \`tick\` \*star\*" in text
    for line in text.splitlines():
        if line.startswith("| R2"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 8


def test_markdown_names_keep_their_underscores(mixed):
    assert "as serviceops_web" in as_markdown(mixed)


def test_html_is_one_file_without_scripts(mixed):
    page = Page(as_html(mixed))
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "style")]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert "<script>alert(1)</script>" in page.text


def test_html_has_the_graph_of_each_round(mixed):
    page = Page(as_html(mixed))
    classes = [value for name, value in page.attributes if name == "class"]
    runs = [run for one in mixed.rows for proof in one.proofs for run in (proof.run, *(r.run for r in proof.removals))]
    assert classes.count("graph") == len(runs)
    for kind in ("starts", "held", "waits", "goes", "ended", "error"):
        assert f"mark {kind}" in classes


def test_html_ids_are_unique_and_every_link_leads_to_one(mixed):
    page = Page(as_html(mixed))
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for name, value in page.attributes if name == "href"} <= set(ids)


def test_json_has_the_documented_keys(mixed):
    data = json.loads(json.dumps(as_data(mixed)))
    assert set(data) == {
        "is_good",
        "headline",
        "next_steps",
        "why_no_proofs",
        "head",
        "facts",
        "rows",
        "other_findings",
    }
    assert set(data["head"]) == {"server", "database", "proved_on", "began", "took_s", "is_quick", "load", "processors"}
    assert set(data["rows"][1]) == {
        "key",
        "number",
        "title",
        "verdict",
        "promise",
        "mechanism",
        "places",
        "objects",
        "settings",
        "findings",
        "proofs",
    }
    assert set(data["rows"][1]["findings"][0]) == {"about", "what", "endangers", "mend"}
    assert set(data["rows"][0]["places"][0]) == {"code", "path", "line", "name"}
    assert [row["verdict"] for row in data["rows"]] == [one.verdict.name for one in mixed.rows]


def test_json_of_a_proof_can_be_read_back(proved):
    result = json.loads(json.dumps(as_data(proved)))["rows"][0]["proofs"][0]
    assert result.pop("verdict") == Verdict.PROVED.name
    assert ProofResult.from_json(result) == proved.rows[0].proofs[0]


def test_a_report_without_rows_can_be_told(proved):
    for form in ALL.values():
        assert form(Report(proved.head, []))


def test_a_long_fact_is_a_detail_and_none_is_told_twice(proved):
    facts = [("server", "PostgreSQL 18.1"), ("settings of x", "y" * 200), ("data checksums", "on")]
    report = replace(proved, set_up=SetUp(facts=facts))
    text, detailed = as_text(report), as_text(report, is_detailed=True)
    assert (text.count("PostgreSQL 18.1"), "settings of x" in text, "data checksums" in text) == (1, False, True)
    assert "settings of x" in detailed
