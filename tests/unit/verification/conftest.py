"""Made-up reports."""

import pytest

from tests.support.verification.made_up_report import mixed_report, proved_report


@pytest.fixture
def proved():
    """A report of one row, which is proved."""
    return proved_report()


@pytest.fixture
def mixed():
    """A report of a row of each verdict, and of what makes it."""
    return mixed_report()
