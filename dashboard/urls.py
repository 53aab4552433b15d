"""Where everything on the web side hangs."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("dashboard.pages.urls")),
    path("account/", include("allauth.urls")),
]
