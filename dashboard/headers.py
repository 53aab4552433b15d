"""Headers that every answer carries: what a page may load, run, frame and tell others."""

from __future__ import annotations

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from typing_extensions import override

Policy = dict[str, list[str]]

ADMIN_PREFIX = "/admin/"
API_PREFIX = "/api/"

# Nothing inline, nothing from elsewhere: a picture on another server would tell it who reads.
STRICT: Policy = {
    "default-src": [SELF],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "object-src": [NONE],
    "base-uri": [NONE],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}
# The theme of the admin evaluates expressions in attributes and sets styles from them.
ADMIN: Policy = STRICT | {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}
FIXED = {
    "Permissions-Policy": "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), "
    "geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), "
    "publickey-credentials-get=(self), screen-wake-lock=(), usb=(), xr-spatial-tracking=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecureHeaders(CSPMiddleware):
    """Adds the strict policy everywhere, a looser one under the admin, and what is the same."""

    @override
    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        if report_only:
            return PolicyParts()
        policy = ADMIN if request.path_info.startswith(ADMIN_PREFIX) else STRICT
        return PolicyParts(config=policy, update={"connect-src": live_addresses(request)})

    @override
    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        for name, value in FIXED.items():
            response.setdefault(name, value)
        if request.path_info.startswith(API_PREFIX):
            response.setdefault("Cache-Control", "no-store")  # answers hold what is private
        return super().process_response(request, response)


def live_addresses(request: HttpRequest) -> list[str]:
    """Return where this page's websocket is; older browsers do not count it as 'self'."""
    try:
        host = request.get_host()
    except DisallowedHost:
        return []
    return [f"{'wss' if request.is_secure() else 'ws'}://{host}"]
