"""Lists of the admin that stay quick, however many rows a table has and whatever the address asks for.

One query finds the keys, in a bounded part of the table; they give the count and all pages. Another fetches the rows of
one page. A filter, or a search in a column without an index, searches the newest rows only, and the list says so.
Failure modes: a row that matches is older. A search for one of its ids finds it, as ids have indexes.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Max
from django.http import HttpRequest
from django.utils.functional import cached_property

from inbox.db import bounded_count
from inbox.db.planner import by_index

# Read backwards by key in some 15 ms, if they are cached.
NEWEST_ROWS = 100_000


class BoundedPaginator(Paginator):
    """Pages of rows, or of keys, of which one more than `bounded_count.LIMIT` stands for all that were not read."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, models.QuerySet):
            return bounded_count.count_bounded(rows)
        return bounded_count.bounded(len(rows))


class Keys(list):
    """Keys that Django pages as it does a queryset."""

    def _clone(self) -> "Keys":
        return self


class QuietChangeList(ChangeList):
    """A list in the order of its admin, whatever the address asks for, as few columns have an index to sort by."""

    model_admin: Any
    # For people: which rows were searched, if not all.
    scope = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        return self.searched(request, super().get_queryset(request, exclude_parameters))

    def searched(self, request: HttpRequest, rows: models.QuerySet) -> models.QuerySet:
        """Those of `rows` that this list searches; sets `scope` if that leaves any out."""
        if self.query:
            is_cut = not all(has_index(self.model, path) for path in self.model_admin.get_search_fields(request))
        elif is_cut := bool(self.get_filters_params()):
            rows = newest(rows)
        if is_cut and has_older(self.model):
            self.scope = f"Searched only the newest {NEWEST_ROWS:,} rows. There may be more matches."
        return rows

    def get_filters(self, request: HttpRequest) -> Any:
        """Only lookups that a filter offers: any other would read the whole table."""
        filters = super().get_filters(request)  # refuses lookups that are not allowed at all
        offered = {getattr(item, "parameter_name", item) for item in self.list_filter}
        for name in self.get_filters_params():
            if name.removesuffix("__exact").removesuffix("__isnull") not in offered:
                raise IncorrectLookupParameters
        return filters

    def get_keys(self) -> list[Any]:
        """The keys of all pages, in order; one more than `bounded_count.LIMIT` if there are more."""
        keys = self.queryset.values_list("pk", flat=True)[: bounded_count.LIMIT + 1]
        if not self.query and not self.get_filters_params():
            return list(keys)
        with by_index():
            return list(keys)

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        return self.model_admin.get_ordering(request)

    def get_results(self, request: HttpRequest) -> None:
        """Have Django page the keys, then fetch the rows of one page."""
        self.queryset = Keys(self.get_keys())
        super().get_results(request)
        keys = self.result_list
        # No list shows JSON: a page of payloads can be many megabytes.
        payloads = [field.name for field in self.lookup_opts.concrete_fields if isinstance(field, models.JSONField)]
        rows = self.apply_select_related(self.root_queryset).defer(*payloads).in_bulk(keys)
        self.result_list = [rows[key] for key in keys if key in rows]


def search(rows: models.QuerySet, paths: Iterable[str], term: str) -> models.QuerySet:
    """Those of `rows` that have exactly this value in a field of `paths`, at most `bounded_count.LIMIT` for each field.

    One query for each field, as an OR over two tables has no index. A field without an index is searched among the
    newest rows only.
    """
    keys: set[Any] = set()
    with by_index():
        for path in paths:
            try:
                value = get_fields_from_path(rows.model, path)[-1].to_python(term)
            except ValidationError:
                continue
            found = rows.model._default_manager.filter(**{path: value})
            found = found if has_index(rows.model, path) else newest(found)
            keys.update(found.order_by().values_list("pk", flat=True)[: bounded_count.LIMIT])
    is_number = isinstance(rows.model._meta.pk, models.BigAutoField | models.BigIntegerField)
    return rows.filter(**{"pk__any_of" if is_number else "pk__in": keys})


def has_index(model: type[models.Model], path: str) -> bool:
    """True if an index of the field's table begins with it."""
    field = get_fields_from_path(model, path)[-1]
    if field.primary_key or field.unique or field.db_index:  # type: ignore[attr-defined]
        return True
    indexes = [*field.model._meta.indexes, *field.model._meta.total_unique_constraints]
    return any(index.condition is None and list(index.fields)[:1] == [field.name] for index in indexes)


def newest(rows: models.QuerySet) -> models.QuerySet:
    """Those of `rows` that are among the newest of their table; all, if its keys are not numbers."""
    highest = _highest_key(rows.model)
    return rows if highest is None else rows.filter(pk__gt=highest - NEWEST_ROWS)


def has_older(model: type[models.Model]) -> bool:
    """True if there are rows that `newest` leaves out."""
    highest = _highest_key(model)
    return highest is not None and model._default_manager.filter(pk__lte=highest - NEWEST_ROWS).exists()


def _highest_key(model: type[models.Model]) -> int | None:
    if not isinstance(model._meta.pk, models.IntegerField):
        return None
    return model._default_manager.aggregate(highest=Max("pk"))["highest"]
