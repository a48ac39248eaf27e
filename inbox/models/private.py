"""How a model names its private columns. admin_pages/privacy.py decides what a page shows of them."""

from typing import NamedTuple


class Private(NamedTuple):
    """The attribute `private` of a model: its private fields, and the permission to see them."""

    permission: str
    fields: frozenset[str]
