"""Fixtures of tests of the admin."""

import pytest
from django.contrib.auth.models import User

from tests.support.pages.forged_posts import message


@pytest.fixture
def dead_message():
    return message("DEAD")


@pytest.fixture
def client(client):
    """The browser of a superuser."""
    client.force_login(User.objects.create_superuser("boss"))
    return client
