"""A wrong address of the scratch database is told, and never shows a password."""

import pytest

from verification.proof.scratch import NoScratch, Scratch, scratch_database

PASSWORD = "hidden"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "the address is none"),
        ("host=here password=hidden", "the address is none"),
        ("postgresql://me:hid@hidden@127.0.0.1/serviceops", "%40 for an @"),
        ("postgresql://me:hid/hidden@127.0.0.1/serviceops", "the address is none"),
        ("postgresql://me:1/hidden@127.0.0.1/serviceops", "the address is none"),
        ("", "the address is none"),
        ("postgresql://me:hid#hidden@127.0.0.1/serviceops", "the address is none"),
        ("postgresql://me:hid?hidden@127.0.0.1/serviceops", "the address is none"),
        ("postgresql://me:hidden@127.0.0.1:none/serviceops", "the address is none"),
        ("postgresql://me:hidden@[127.0.0.1/serviceops", "the address is none"),
        ("mysql://me:hidden@127.0.0.1:1/serviceops", "the address is none"),
        ("postgresql://me:hidden@127.0.0.1:1/serviceops", "no connection to the server"),
        ("postgresql://me:hidden@127.0.0.1:1/serviceops?no_such_word=1", "the address is none"),
    ],
)
def test_a_wrong_address(url, says):
    with pytest.raises(NoScratch) as caught, scratch_database(url):
        pass
    assert says in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "psql", "pgsql"])
def test_each_name_of_a_database_that_settings_take(scheme):
    with pytest.raises(NoScratch, match="no connection"), scratch_database(f"{scheme}://me@127.0.0.1:1/serviceops"):
        pass


def test_the_report_says_how_the_sessions_reach_the_server():
    assert Scratch("postgresql:///x").way == "directly"
    assert "through the pooler" in Scratch("postgresql://pooler/x", "postgresql:///x").way
