"""Login throttling by django-axes, for logins that come over the web."""

from typing import Any

from axes.backends import AxesStandaloneBackend
from django.http import HttpRequest


class ThrottleBackend(AxesStandaloneBackend):
    """As django-axes' own, which refuses a login without a request: of a program that has the database anyway."""

    def authenticate(self, request: HttpRequest | None, *args: Any, **credentials: Any) -> None:
        """Raises PermissionDenied for whoever is locked out; the next backend looks at the password."""
        if request is not None:
            super().authenticate(request, *args, **credentials)
