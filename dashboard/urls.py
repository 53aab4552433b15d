"""Where everything on the web side hangs."""

from __future__ import annotations

from allauth.account import views as account
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from dashboard import appservice, health, metrics
from dashboard.api.urls import api

# Only what works without e-mail: a lost password is mended by a fresh login link.
account_patterns: list[URLPattern | URLResolver] = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("signup/", account.signup, name="account_signup"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("password/set/", account.password_set, name="account_set_password"),
    path("2fa/", include("allauth.mfa.urls")),
]

# As the Matrix specification names them, behind the address that a registration gives.
appservice_patterns: list[URLPattern | URLResolver] = [
    path("transactions/<str:name>", appservice.transaction, name="appservice_transaction"),
    path("users/<str:name>", appservice.unknown, name="appservice_user"),
    path("rooms/<str:name>", appservice.unknown, name="appservice_room"),
    path("ping", appservice.ping, name="appservice_ping"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("dashboard.pages.urls")),
    path("account/", include(account_patterns)),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("appservice/<uuid:service_id>/_matrix/app/v1/", include(appservice_patterns)),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics.metrics, name="metrics"),
]
