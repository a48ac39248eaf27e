"""Passwords can't be guessed, and a NUL in an address is refused."""

import pytest
from django.contrib.auth.models import User


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/admin/decisions/packetdecision/?decision_type=%00",
        "/admin/inbox/inboxworker/?state=a%00b",
        "/admin/inbox/sourcepause/a%00/change/",
        "/admin/autocomplete/?term=%00&app_label=decisions&model_name=packetdecision&field_name=packet",
    ],
)
def test_a_nul_in_the_address_is_refused(client, address):
    client.force_login(User.objects.create_superuser("ada"))
    assert client.get(address).status_code == 400


def log_in(client, password, **extra):
    return client.post("/admin/login/", {"username": "ada", "password": password, "next": "/admin/"}, **extra)


@pytest.mark.django_db
def test_after_five_wrong_passwords_the_right_one_does_not_help(client):
    User.objects.create_superuser("ada", password="right")
    for _ in range(4):
        assert log_in(client, "wrong").status_code == 200
    assert log_in(client, "wrong").status_code == 429
    assert log_in(client, "right").status_code == 429
    # Other addresses are not locked out with this one.
    assert log_in(client, "right", REMOTE_ADDR="192.0.2.7").status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("proxies", "wrong_from", "right_from", "status"),
    [
        # Nobody is trusted: what a sender writes there does not make another of them.
        (0, "192.0.2.1", "192.0.2.2", 429),
        (1, "192.0.2.1", "192.0.2.2", 302),
        (1, "made up, 192.0.2.1", "192.0.2.9, 192.0.2.1", 429),
        (2, "192.0.2.1, 198.51.100.1", "192.0.2.2, 198.51.100.1", 302),
        (2, "192.0.2.1, 198.51.100.1", "192.0.2.1, 198.51.100.2", 429),
        (1, "no address", "no address either", 429),
        (1, "", "", 429),
    ],
)
def test_whoever_comes_through_a_proxy_is_told_apart(client, settings, proxies, wrong_from, right_from, status):
    settings.TRUST_X_FORWARDED_FOR = proxies
    User.objects.create_superuser("ada", password="right")
    for _ in range(5):
        log_in(client, "wrong", HTTP_X_FORWARDED_FOR=wrong_from)
    assert log_in(client, "right", HTTP_X_FORWARDED_FOR=right_from).status_code == status


@pytest.mark.django_db
def test_a_good_login_forgives(client):
    User.objects.create_superuser("ada", password="right")
    for _ in range(3):
        for _ in range(4):
            log_in(client, "wrong")
        assert log_in(client, "right").status_code == 302
