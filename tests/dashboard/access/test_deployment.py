from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_deployment_over_https_passes_djangos_own_check() -> None:
    done = manage(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        PUBLIC_URL="https://rooms.example.org",
        SECRET_KEY=secrets.token_urlsafe(60),
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_cookies_follow_the_public_address() -> None:
    code = (
        "from django.conf import settings as s;"
        "print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_NAME,"
        "s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0)"
    )

    plain = manage("shell", "--no-imports", "-c", code, PUBLIC_URL="http://localhost:8000")
    secure = manage("shell", "--no-imports", "-c", code, PUBLIC_URL="https://rooms.example.org")

    assert plain.stdout.split() == [
        "greenroom_session",
        "False",
        "greenroom_csrf",
        "False",
        "False",
    ]
    assert secure.stdout.split() == ["__Host-session", "True", "__Host-csrf", "True", "True"]
