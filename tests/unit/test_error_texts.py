"""Texts of our own exceptions and of the connection are kept; of other exceptions only class and place."""

import psycopg
import pytest
from django.db import DataError, OperationalError

from inbox.db.storable import OwnText, error_text, places

MARKED = "MARKED-value"


class Ours(OwnText):
    pass


def test_texts_of_ours_and_of_the_connection_are_kept():
    assert error_text(Ours("its 3 outcomes")) == "its 3 outcomes"
    assert error_text(OperationalError("no route to host")) == "no route to host"
    assert error_text(psycopg.OperationalError("too many clients")) == "too many clients"


@pytest.mark.parametrize("error", [ValueError(MARKED), KeyError(MARKED), DataError(MARKED), psycopg.DataError(MARKED)])
def test_any_other_text_is_not_kept(error):
    assert error_text(error) == f"{type(error).__name__}; its own text is not kept: it may quote a message"
    with pytest.raises(type(error)) as caught:
        raise error
    assert error_text(caught.value).startswith(f"{type(error).__name__} at {__name__}:")
    assert places(caught.value)[-1].startswith(__name__)
