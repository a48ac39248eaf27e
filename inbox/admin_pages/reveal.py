"""The reveal: a row's page with everything it hides, in the answer to one POST to `…/reveal/`, which is logged.

Only a POST reveals, so no link and no prefetch shows anything or fills the log.
"""

from functools import partial
from typing import TYPE_CHECKING

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, path, reverse

from inbox.admin_pages.privacy import REVEAL, reveal

if TYPE_CHECKING:
    from inbox.admin_pages.read_only import ReadOnlyAdmin


def reveal_path(admin: "ReadOnlyAdmin") -> URLPattern:
    """The route of the reveals of an admin's rows."""
    view = admin.admin_site.admin_view(partial(reveal_page, admin))
    return path("<path:object_id>/reveal/", view, name=_name(admin))


def reveal_url(admin: "ReadOnlyAdmin", row: models.Model) -> str:
    """The address of the reveal of a row."""
    return reverse(f"admin:{_name(admin)}", args=[quote(row.pk)])


def reveal_page(admin: "ReadOnlyAdmin", request: HttpRequest, object_id: str) -> HttpResponse:
    """The revealed page. Raises PermissionDenied, and Http404 if there is no such row."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not request.user.has_perm(REVEAL) or not admin.has_view_permission(request):
        raise PermissionDenied
    row = admin.get_object(request, unquote(object_id))
    if row is None:
        raise Http404
    reveal(request, admin.audited_name(row), "on its page")
    # Django's view takes a POST for an edit, which it refuses.
    request.method = "GET"
    return admin.changeform_view(request, object_id)


def _name(admin: "ReadOnlyAdmin") -> str:
    return f"{admin.opts.app_label}_{admin.opts.model_name}_reveal"
