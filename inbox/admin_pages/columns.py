"""How lists and pages of the admin show each field: times to the second, JSON indented, hidden values not at all.

A column is the field's name, or a function of the row. Each is made once, as the admin compares them by identity.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models.functions import Cast
from django.utils import timezone

from inbox.admin_pages.json_text import NOT_READABLE, redacted_html, stored_html, value_html
from inbox.admin_pages.privacy import NOT_SHOWN
from inbox.fields import UnreadableJson

Column = str | Callable[[Any], Any]


@cache
def value_column(field: models.Field) -> Column:
    """Shows the value of a field."""
    if isinstance(field, models.JSONField):
        return _column(field, lambda row: value_html(getattr(row, field.name)))
    if isinstance(field, models.DateTimeField):
        # None in a column that allows no null is a time that Python can't read.
        missing = None if field.null else NOT_READABLE
        return _column(field, lambda row: time_text(getattr(row, field.name)) or missing)
    return field.name


@cache
def payload_column(field: models.Field) -> Column:
    """Shows a payload as it is stored, by a query of its own: Python has rounded the numbers of the row's value."""

    def show(row: models.Model) -> Any:
        value = getattr(row, field.name)
        if value is None or isinstance(value, UnreadableJson):
            return value_html(value)
        texts = type(row)._base_manager.filter(pk=row.pk).values_list(Cast(field.name, models.TextField()), flat=True)
        text = texts.first()
        # The row may have been deleted since.
        return None if text is None else stored_html(text)

    return _column(field, show)


@cache
def hidden_column(field: models.Field) -> Column:
    """Shows whether there is a value; of JSON its structure too."""
    if isinstance(field, models.JSONField):
        return _column(field, lambda row: redacted_html(getattr(row, field.name)))
    return _column(field, lambda row: None if getattr(row, field.name) is None else NOT_SHOWN)


def _column(field: models.Field, show: Callable[[models.Model], Any]) -> Column:
    @admin.display(description=field.verbose_name)
    def column(row: models.Model) -> Any:
        shown = show(row)
        # A page, unlike a list, would show the word None.
        return "-" if shown is None else shown

    # The admin finds the field's help text and style by this name.
    column.__name__ = field.name
    return column


def time_text(value: datetime | None) -> str | None:
    """A time to the second, sortable by eye."""
    return None if value is None else timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
