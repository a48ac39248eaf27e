"""The address of the client, by which logins are counted. Setting: TRUST_X_FORWARDED_FOR."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address that the outermost of our proxies has seen; each proxy appends the address that called it.

    The client may have made up anything before that in X-Forwarded-For.
    """
    sender = request.META.get("REMOTE_ADDR", "")
    passed_on = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    address = [sender, *reversed(passed_on)][: settings.TRUST_X_FORWARDED_FOR + 1][-1]
    try:
        return str(ip_address(address))
    except ValueError:
        return sender
