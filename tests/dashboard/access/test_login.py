from __future__ import annotations

import pytest
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agentapp.identity.models import User
from agentapp.identity.services import make_login_link
from tests.town import Town

PASSWORD = "correct horse battery staple"


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


def post(browser: Client, address: str, **fields: str) -> object:
    """Send a form as a browser does: with the page's own token."""
    browser.get(address)
    token = browser.cookies[settings.CSRF_COOKIE_NAME].value
    return browser.post(address, {**fields, "csrfmiddlewaretoken": token})


def log_in(browser: Client, user: User, password: str = PASSWORD) -> object:
    return post(browser, reverse("account_login"), login=user.username, password=password)


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


@pytest.fixture
def olga(town: Town) -> User:
    town.olga.set_password(PASSWORD)
    town.olga.save()
    return town.olga


@pytest.fixture
def quick_hashes(settings: Settings) -> None:
    """Hashing a password as well as the product does takes longer than most tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_a_password_opens_the_door(browser: Client, olga: User) -> None:
    log_in(browser, olga)

    assert is_in(browser)


def test_a_wrong_password_does_not(browser: Client, olga: User) -> None:
    log_in(browser, olga, "something else entirely")

    assert not is_in(browser)


@pytest.mark.usefixtures("quick_hashes")
def test_guessing_is_stopped_after_five_tries_even_with_the_right_password(
    browser: Client, olga: User
) -> None:
    for number in range(5):
        log_in(browser, olga, f"guess number {number}")

    log_in(browser, olga)

    assert not is_in(browser)


@pytest.mark.usefixtures("quick_hashes")
def test_with_a_second_factor_the_password_alone_is_not_enough(browser: Client, olga: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(olga, secret)

    log_in(browser, olga)
    assert not is_in(browser)

    counter = next(iter(yield_hotp_counters_from_time()))
    post(
        browser,
        reverse("mfa_authenticate"),
        code=format_hotp_value(hotp_value(secret, counter)),
    )
    assert is_in(browser)


def test_nobody_signs_up_by_themselves(browser: Client, db: None) -> None:
    before = User.objects.count()

    page = browser.get(reverse("account_signup"))
    post(
        browser,
        reverse("account_login"),
        username="mallory",
        password1=PASSWORD,
        password2=PASSWORD,
    )
    browser.post(reverse("account_signup"), {"username": "mallory", "password1": PASSWORD})

    assert b"Nobody signs up here" in page.content
    assert User.objects.count() == before


def test_the_admin_pages_send_strangers_to_the_one_login(browser: Client, db: None) -> None:
    response = browser.get("/admin/")
    assert response.status_code == 302
    follow = browser.get(response["Location"])

    assert follow["Location"].startswith(reverse("account_login"))


def test_the_admin_pages_are_closed_to_owners_and_open_to_the_admin(
    browser: Client, town: Town
) -> None:
    browser.force_login(town.olga, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert browser.get("/admin/agentapp/agent/").status_code in {302, 403}
    assert browser.get("/admin/login/").status_code == 403

    browser.force_login(town.admin, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert browser.get("/admin/").status_code == 200


def test_a_login_link_is_used_up_by_the_button_only(browser: Client, db: None) -> None:
    address = reverse("start", args=[make_login_link()])

    assert browser.get(address).status_code == 200
    assert browser.get(address).status_code == 200
    assert not User.objects.exists()
    assert browser.post(address).status_code == 403  # without the page's own token
    assert not User.objects.exists()

    post(browser, address)
    assert is_in(browser)
    assert User.objects.get().is_superuser
    assert browser.get(address).status_code == 410


def test_a_login_changes_the_session_so_that_none_can_be_planted(browser: Client, db: None) -> None:
    address = reverse("start", args=[make_login_link()])
    browser.get(address)
    planted = browser.cookies.get(settings.SESSION_COOKIE_NAME)

    post(browser, address)

    now = browser.cookies[settings.SESSION_COOKIE_NAME].value
    assert planted is None or planted.value != now
    assert Session.objects.filter(session_key=now).exists()


def test_after_the_first_login_a_password_can_be_set(browser: Client, db: None) -> None:
    post(browser, reverse("start", args=[make_login_link()]))

    post(
        browser,
        reverse("account_set_password"),
        password1=PASSWORD,
        password2=PASSWORD,
    )

    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize("weak", ["short", "password1234", "123456789012"])
def test_a_weak_password_is_refused(browser: Client, db: None, weak: str) -> None:
    post(browser, reverse("start", args=[make_login_link()]))

    post(browser, reverse("account_set_password"), password1=weak, password2=weak)

    assert not User.objects.get().has_usable_password()
