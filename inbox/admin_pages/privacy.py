"""Private: what of a row only some may see, and the one place that decides whether a page shows it to this request.

A model names its private columns: texts that came with a message or tell of one, as they may name a person. Whoever
has their permission sees them, on all pages. Whoever may reveal sees them, and the payload, in the answer to one POST,
which is logged. All others see that there is something, and not what.
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
    """The row as this request may see it, a copy that is to be shown and not to be saved."""
    fields = withheld(request, type(row)) if row is not None else frozenset()
    if not fields:
        return row
    shown = copy(row)
    for name in fields:
        if getattr(shown, name) is not None:
            setattr(shown, name, NOT_SHOWN)
    return shown


def reveal(request: HttpRequest, name: str, why: str) -> None:
    """Have the answer to this request show everything of an object, such as `job:17`; writes down who looks.

    The caller has checked REVEAL, and that it is a POST.
    """
    record([Change(name, None, None)], who=request.user.get_username(), verb="reveal", reason=why)
    request.is_revealed = True  # type: ignore[attr-defined]


def is_revealed(request: HttpRequest) -> bool:
    """True if this request has revealed what it is about."""
    return getattr(request, "is_revealed", False)
