"""Where a person goes on from a job, and what else finds a job. Other apps fill this in their AppConfig.ready()."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from inbox.models import InboxJob


@dataclass(frozen=True, slots=True)
class Link:
    """A page that has to do with a job: `what` it is, its `text`, the address, and who may see it."""

    what: str
    text: str
    url: str
    permission: str


Finder = Callable[[InboxJob], Iterable[Link]]
# From a text that a person typed to the tracking ids of cases; for any other text nothing. Never raises.
Search = Callable[[str], Iterable[UUID]]

_finders: list[Finder] = []
_searches: list[Search] = []


def register_links(finder: Finder) -> Finder:
    """Have the page of every job show what `finder` gives for it."""
    _finders.append(finder)
    return finder


def register_search(search: Search) -> Search:
    """Have the list of jobs find the jobs of the cases that `search` gives for a text."""
    _searches.append(search)
    return search


def links_of(job: InboxJob, may: Callable[[str], bool]) -> list[Link]:
    """All links of a job whose permission `may` says yes to."""
    return [link for finder in _finders for link in finder(job) if may(link.permission)]


def cases_of(text: str) -> list[UUID]:
    """The tracking ids of the cases that the text names."""
    return [tracking_id for search in _searches for tracking_id in search(text)]
