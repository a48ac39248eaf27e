"""The address of whoever sends a request: what logins are counted by. Setting: TRUST_X_FORWARDED_FOR."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The one that the outermost of our proxies has seen; each writes behind the others who asked it.

    What stands before that in X-Forwarded-For, the sender may have made up.
    """
    sender = request.META.get("REMOTE_ADDR", "")
    passed_on = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    address = [sender, *reversed(passed_on)][: settings.TRUST_X_FORWARDED_FOR + 1][-1]
    try:
        return str(ip_address(address))
    except ValueError:
        return sender
