"""A page that the database refuses for now is 503 and no bug: a lock was not given, the disk is full, it restarts."""

from collections.abc import Callable

from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from inbox.db.errors import is_connection_lost, is_refusal
from inbox.db.storable import error_text

RETRY_AFTER_S = 5


class TryAgain:
    """A middleware. A transaction that was refused has changed nothing; forms know what they did before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """503 with what may be told of it; None for anything else, which stays an error."""
        if not isinstance(error, Error) or not (is_connection_lost(error) or is_refusal(error)):
            return None
        text = f"The database refused this: {error_text(error)}.\nTry again in a moment: nothing is done twice.\n"
        headers = {"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
        return HttpResponse(text, status=503, content_type="text/plain; charset=utf-8", headers=headers)
