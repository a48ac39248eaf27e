"""A wrong option of inbox_status is a short usage error."""

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize(
    "options",
    [
        ["--watch", "--check"],
        ["--watch", "--interval", "0"],
        ["--watch", "--interval", "nan"],
        ["--check", "--stalled-after", "1e300"],
        ["--check", "--stalled-after", "soon"],
        ["--what"],
    ],
)
def test_a_wrong_option_is_a_short_usage_error(options):
    with pytest.raises(CommandError) as error:
        call_command("inbox_status", *options)
    assert len(str(error.value).splitlines()) == 1
