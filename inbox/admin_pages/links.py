"""Links on the page of a job, and searches that find the jobs of a case. Apps register them in AppConfig.ready()."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from inbox.models import InboxJob


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a page that is related to a job; `what` is its label, `permission` what a user needs to see it."""

    what: str
    text: str
    url: str
    permission: str


Finder = Callable[[InboxJob], Iterable[Link]]
# Takes what a person typed and returns the tracking ids of the cases it names, if any. Never raises.
Search = Callable[[str], Iterable[UUID]]

_finders: list[Finder] = []
_searches: list[Search] = []


def register_links(finder: Finder) -> None:
    """Show the links that `finder` returns for a job on its page."""
    _finders.append(finder)


def register_search(search: Search) -> None:
    """Find the jobs of the cases that `search` returns in the list of jobs."""
    _searches.append(search)


def links_of(job: InboxJob, may: Callable[[str], bool]) -> list[Link]:
    """The links of a job that a user may see; `may` says whether the user has a permission."""
    return [link for finder in _finders for link in finder(job) if may(link.permission)]


def cases_of(text: str) -> list[UUID]:
    """The tracking ids of the cases that a text names."""
    return [tracking_id for search in _searches for tracking_id in search(text)]
