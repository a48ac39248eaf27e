"""How a model names the columns that only some people may see. admin_pages/privacy.py decides what a page shows."""

from typing import NamedTuple


class Private(NamedTuple):
    """Stands in a model as `private`: its private fields, and the permission to see them."""

    permission: str
    fields: frozenset[str]
