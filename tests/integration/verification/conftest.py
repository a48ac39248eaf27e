"""A stage for the races of these tests."""

import pytest

from verification.proof.stage import Stage


@pytest.fixture
def stage():
    opened = Stage()
    yield opened
    opened.close()
