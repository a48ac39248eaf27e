"""Where a row stands in the code: file and line, read from the source of today, so no report can be out of date."""

import ast
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings


class NoSuchPlace(LookupError):
    """No such module, function, method or constant; the text names it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the code. `path` is relative to the project; `name` is what stands there."""

    path: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def find_place(code: str) -> Place:
    """Where `code` is defined, such as "inbox.engine.claim:MARK_CLAIMED" or "inbox.models.job:JobQuerySet.held".

    A name that a module only imports is not defined there. Raises NoSuchPlace.
    """
    module, _, name = code.partition(":")
    file = _file_of(module, code)
    body: list[ast.stmt] = _tree(file).body
    line = 1
    for part in name.split(".") if name else ():
        found = next((node for node in body if part in _names(node)), None)
        if found is None:
            raise NoSuchPlace(f"{code}: {module} defines no {part}")
        line, body = found.lineno, getattr(found, "body", [])
    path = file.relative_to(settings.BASE_DIR) if file.is_relative_to(settings.BASE_DIR) else file
    return Place(str(path), line, name or module)


def _file_of(module: str, code: str) -> Path:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin:
        raise NoSuchPlace(f"{code}: there is no module {module}")
    return Path(spec.origin)


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}
