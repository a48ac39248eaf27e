"""The rules of the house: how large a folder, a file and a function may be, and that no test imports from another."""

import ast
from collections import Counter

import pytest

from tests.support.project import PROJECT

PRODUCTION = ("inbox", "packets", "decisions", "verification", "config", "tools", "manage.py")
MOST_FILES = 20
MOST_LINES = 250
MOST_LINES_OF_A_ROW = 100
MOST_LINES_OF_A_TEST = 400
MOST_LINES_OF_A_FUNCTION = 50


def python_files(*names):
    paths = [PROJECT / name for name in names]
    found = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    return sorted(file.relative_to(PROJECT) for file in found if "migrations" not in file.parts)


OURS = python_files(*PRODUCTION)
TESTS = python_files("tests")


def lines_of(path):
    return len((PROJECT / path).read_text().splitlines())


def nodes_of(path):
    return ast.walk(ast.parse((PROJECT / path).read_text()))


def test_no_folder_has_too_many_files():
    sizes = Counter(str(path.parent) for path in [*OURS, *TESTS, *python_files("benchmarks")])
    assert {folder: size for folder, size in sizes.items() if size > MOST_FILES} == {}


@pytest.mark.parametrize(
    ("files", "most"),
    [(OURS, MOST_LINES), (TESTS, MOST_LINES_OF_A_TEST), (python_files("verification/rows"), MOST_LINES_OF_A_ROW)],
    ids=["production", "tests", "rows of the report on locks"],
)
def test_no_file_is_too_long(files, most):
    assert {str(path): lines_of(path) for path in files if lines_of(path) > most} == {}


def test_no_function_is_too_long():
    lengths = {
        f"{path}:{node.name}": node.end_lineno - node.lineno + 1
        for path in OURS
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_A_FUNCTION} == {}


def imported_by(path):
    """The dotted names that a file imports."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def test_sessions_that_work_on_our_tables_prove_their_settings():
    """They come from Django's backend (config/postgresql); these only look at a server, or make a database."""
    found = {str(path) for path in OURS if "psycopg.connect(" in (PROJECT / path).read_text()}
    assert found == {
        "config/embedded_postgres/server.py",
        "verification/proof/pooler.py",
        "verification/proof/scratch.py",
        "verification/set_up/in_force.py",
    }


def test_nothing_is_imported_from_a_test():
    """What tests share is in tests/support. (The wildcards of import-linter can't say `test_*`.)"""
    for path in TESTS:
        names = [name for name in imported_by(path) if any(part.startswith("test_") for part in name.split("."))]
        assert names == [], path
