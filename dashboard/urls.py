"""Where everything on the web side hangs."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from dashboard import health, metrics
from dashboard.api.urls import api

# The admin has no login of its own: allauth's limits and second factor hold there too.
admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign, no-untyped-call]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("dashboard.pages.urls")),
    path("account/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("metrics", metrics.metrics, name="metrics"),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
]
