"""Privacy: decides, for all pages, whether a request shows the private columns of a row.

A model names its private columns: texts of or about a message, which may name a person. Users with the model's
permission see them on every page. Users with REVEAL see them, and the payload, in the answer to one logged POST. Others
see only that there is a value.
"""

from copy import copy
from typing import TypeVar

from django.db import models
from django.http import HttpRequest

from inbox.engine.audit import Change, record

REVEAL = "inbox.reveal_payload"
NOT_SHOWN = "not shown"

R = TypeVar("R", bound=models.Model | None)


def private_fields(model: type[models.Model]) -> frozenset[str]:
    """The fields that the model names as private."""
    return model.private.fields if hasattr(model, "private") else frozenset()


def withheld(request: HttpRequest, model: type[models.Model]) -> frozenset[str]:
    """The private fields of the model that this request does not show."""
    fields = private_fields(model)
    if not fields or is_revealed(request) or request.user.has_perm(model.private.permission):  # type: ignore[attr-defined]
        return frozenset()
    return fields


def masked(row: R, request: HttpRequest) -> R:
    """The row as this request may see it. Show it, but never save it: it is a copy if anything is hidden."""
    fields = withheld(request, type(row)) if row is not None else ()
    shown = copy(row) if fields else row
    for name in fields:
        if getattr(shown, name) is not None:
            setattr(shown, name, NOT_SHOWN)
    return shown


def reveal(request: HttpRequest, name: str, why: str) -> None:
    """Have the answer to this request show everything of an object, such as `job:17`, and record that in the audit.

    The caller has checked REVEAL, and that the request is a POST.
    """
    record([Change(name, None, None)], who=request.user.get_username(), verb="reveal", reason=why)
    request.is_revealed = True  # type: ignore[attr-defined]


def is_revealed(request: HttpRequest) -> bool:
    """True if `reveal` was called for this request."""
    return getattr(request, "is_revealed", False)
