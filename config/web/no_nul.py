"""Refuses an address with a NUL: PostgreSQL takes none, so any page that looks for it would fail."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseBase


class NoNul:
    """A middleware. Forms check their own fields."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return HttpResponseBadRequest("A NUL in the address.\n", content_type="text/plain")
        return self.get_response(request)
