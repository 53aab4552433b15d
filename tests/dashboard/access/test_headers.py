from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.test.utils import override_settings

from tests.dashboard.access.routes import addresses
from tests.town import Town

ROUTES = sorted(set(addresses()))
STRICT = {
    "default-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self' ws://localhost",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}
ADMIN = {
    "script-src 'self' 'unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "default-src 'self'",
    "object-src 'none'",
    "frame-ancestors 'none'",
}
GROUPS = 8  # of routes that share one login
EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def policy(header: str) -> set[str]:
    return {part.strip() for part in header.split(";") if part.strip()}


@pytest.fixture
def browser(town: Town) -> Client:
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    client.force_login(town.admin, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def test_the_routes_are_really_walked() -> None:
    assert len(ROUTES) > 100
    assert {"/", "/health/live", "/account/login/", "/metrics", "/admin/"} <= set(ROUTES)


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_route_carries_the_headers(browser: Client, group: int) -> None:
    wrong = {
        address: found for address in ROUTES[group::GROUPS] if (found := faults(browser, address))
    }
    assert wrong == {}


def faults(browser: Client, address: str) -> list[str]:
    """Return what is wrong with the headers of a page."""
    response = browser.get(address)
    given = policy(response["Content-Security-Policy"])
    is_right = given >= ADMIN if address.startswith("/admin/") else given == STRICT
    checks = {
        f"status {response.status_code}": response.status_code < 500,
        "policy": is_right,
        "permissions": "camera=()" in response["Permissions-Policy"],
        **{name: response[name] == value for name, value in EXPECTED.items()},
    }
    return [name for name, holds in checks.items() if not holds]


@pytest.mark.parametrize("address", ["/nothing-here", "/start/nothing/", "/join/nothing/"])
def test_pages_about_errors_carry_them_too(browser: Client, address: str) -> None:
    response = browser.get(address)

    assert response.status_code in {404, 410}
    assert policy(response["Content-Security-Policy"]) == STRICT


def test_a_host_we_do_not_serve_gets_the_policy_without_its_name(browser: Client) -> None:
    response = browser.get("/health/live", headers={"host": "evil.example"})

    assert response.status_code == 400
    assert "evil" not in response["Content-Security-Policy"]


@override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
def test_over_https_the_live_address_is_a_secure_one(browser: Client) -> None:
    response = browser.get("/account/logout/", headers={"x-forwarded-proto": "https"})

    assert "connect-src 'self' wss://localhost:80" in policy(response["Content-Security-Policy"])


def test_a_served_file_carries_the_policy(browser: Client) -> None:
    response = browser.get("/static/img/mark.svg")
    response.close()

    assert response.status_code == 200
    assert policy(response["Content-Security-Policy"]) == STRICT


def test_no_page_of_ours_needs_what_the_policy_forbids() -> None:
    """Inline scripts, handlers and styles would silently do nothing in the browser."""
    root = Path(settings.BASE_DIR) / "templates"
    for template in root.rglob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert "<script>" not in text, template
        assert " style=" not in text, template
        assert " onclick=" not in text, template
        assert "javascript:" not in text, template
