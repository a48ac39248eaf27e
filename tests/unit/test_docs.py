"""The documents name only what exists: links, commands, files, modules, tests, settings, metrics and log keys."""

import re
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

import pytest
from django.core.management import get_commands, load_command_class

from config.logs import KEYS
from inbox.events import Event
from verification.rows import ROWS

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
DOCS = sorted([README, *(PROJECT / "docs").rglob("*.md")])
MADE_BY_A_RUN = ("tests/output/screens", "tests/output/campaign.jsonl")
PACKAGES = "inbox|packets|decisions|verification|config|tests|tools|benchmarks|deploy|docs"
OURS = ("inbox", "packets", "decisions", "verification", "config")
each_document = pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(PROJECT)))


def table_names(document, pattern):
    """The code in the first column of the tables of a document."""
    rows = re.findall(r"^\| (`.*?) \|", (PROJECT / "docs" / document).read_text(), re.M)
    return {name for row in rows for name in re.findall(f"`({pattern})`", row)}


def anchors(path):
    """The headings of a document, as links name them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@each_document
def test_every_link_leads_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert name.startswith("http") or target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_document
def test_every_command_exists(path):
    text = path.read_text()
    for command in re.findall(r"manage\.py ([a-z_]+)", text):
        assert command in get_commands(), command
    for target in re.findall(r"`?make ([a-z]+)(?:`| +#| +[A-Z]+=)", text):
        assert re.search(rf"^{target}:", (PROJECT / "Makefile").read_text(), re.M), target


@each_document
def test_every_file_and_module_exists(path):
    text = path.read_text()
    for name in re.findall(rf"(?<![\w./-])((?:{PACKAGES})(?:/[\w@.-]*\w)+)", text):
        assert (PROJECT / name).exists() or name in MADE_BY_A_RUN, name
    for name in re.findall(r"(?:inbox|packets|decisions|verification|config)(?:\.[a-z_]+){2,}", text):
        assert resolve_name(name), name
    for name in re.findall(r"-m ((?:benchmarks|tests)\.\w+)", text):
        assert find_spec(name), name


@each_document
def test_every_test_exists(path):
    files = {file.name: file.read_text() for file in (PROJECT / "tests").rglob("*.py")}
    code = "\n".join(files.values())
    for name in re.findall(r"\btest_\w+(?:\.py)?", path.read_text()):
        assert name in files if name.endswith(".py") else re.search(rf"^\s*def {name}\(", code, re.M), name


def test_the_index_lists_every_document():
    index = (PROJECT / "docs/README.md").read_text()
    for path in DOCS:
        assert path in (README, PROJECT / "docs/README.md") or f"({path.relative_to(PROJECT / 'docs')})" in index, path


def test_the_lock_report_and_its_guide_name_every_row():
    report, guide = ((PROJECT / "docs" / name).read_text() for name in ("lock-report.md", "locks.md"))
    for row in ROWS:
        assert re.search(rf"^## {row.number} {re.escape(row.title)}: proved$", report, re.M), row.title
        assert re.search(rf"^\| {row.number} \|", guide, re.M), row.number


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 110


def test_every_setting_is_listed():
    code = (PROJECT / "config/settings.py").read_text()
    read = set(
        re.findall(r'(?:switch|seconds|whole_number|list_of_seconds|web_address|one_of|str|list)\("([A-Z_]+)"', code)
    )
    listed = table_names("settings.md", "[A-Z_]+")
    assert read <= listed
    assert listed - read <= {"DEV_ADMIN_PASSWORD"}


def test_every_command_is_listed():
    ours = {name: app for name, app in get_commands().items() if app in OURS}
    text = (PROJECT / "docs/commands.md").read_text()
    assert table_names("commands.md", "[a-z_]+") == ours.keys()
    parsers = [load_command_class(app, name).create_parser("manage.py", name) for name, app in ours.items()]
    known = {option for parser in parsers for option in parser._option_string_actions}
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= known


def test_every_metric_is_listed():
    made = set(re.findall(r'"(inbox_\w+)"', (PROJECT / "config/web/metrics.py").read_text()))
    assert {name.removesuffix("_total") for name in table_names("monitoring.md", r"inbox_\w+")} == made


def test_every_key_of_the_log_is_listed():
    assert table_names("logs.md", r"\w+") == KEYS


def test_every_event_is_listed():
    rows = re.findall(r"^\| `([\w.]+)` \| ([A-Z]+) \| (.*) \|$", (PROJECT / "docs/logs.md").read_text(), re.M)
    assert rows == [(logger, level.upper(), text) for logger, level, text in (event.value for event in Event)]


def test_every_how_to_of_the_alert_file_exists():
    named = set(re.findall(r"howto: (\S+?)}", (PROJECT / "docs/alerts.yml").read_text()))
    assert named
    assert all((PROJECT / name).is_file() for name in named)
