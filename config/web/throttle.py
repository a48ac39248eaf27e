"""Login throttling by django-axes, for logins that come over the web."""

from typing import Any

from axes.backends import AxesStandaloneBackend
from django.http import HttpRequest


class ThrottleBackend(AxesStandaloneBackend):
    """As django-axes' own, but allows logins without a request: such a program has the database anyway."""

    def authenticate(self, request: HttpRequest | None, *args: Any, **credentials: Any) -> None:
        """Raises PermissionDenied if the login is locked out; the next backend checks the password."""
        if request is not None:
            super().authenticate(request, *args, **credentials)
