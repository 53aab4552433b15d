"""A real Matrix homeserver for the tests: Synapse on a port of its own, empty at its start.

It lives in an environment of its own, which `make setup` fills, and listens on 127.0.0.1 only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-synapse" / "bin" / "python"
MISSING = (
    "The Matrix tests talk to a real Synapse, and it is not installed. Run `make setup` (or "
    "`.venv/bin/python .ci/neighbours.py synapse`) once, then run the tests again."
)
SERVER_NAME = "green.test"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
UNLIMITED = {"per_second": 100_000, "burst_count": 100_000}


class SynapseProblem(Exception):
    """The homeserver is missing or did not start."""


@dataclass(frozen=True)
class MatrixUser:
    """Somebody registered there, with one device."""

    user_id: str
    token: str
    device_id: str
    password: str


class Synapse:
    """One homeserver process and its folder. What it knows survives `stop` and `start`."""

    def __init__(self, folder: Path, *, registrations: Sequence[Path] = ()) -> None:
        self._folder = folder
        self.registrations = list(registrations)  # of application services
        self._port = _free_port()
        self._secret = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        _write_files(folder)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The running server's process; 0 while there is none."""
        return self._process.pid if self._process else 0

    def start(self, **settings: object) -> None:
        """Start it and wait until it answers; `settings` replace those of the tests."""
        if not PYTHON.exists():
            raise SynapseProblem(MISSING)
        config = self._folder / "homeserver.yaml"
        # JSON is YAML too.
        config.write_text(json.dumps(self._settings() | settings), encoding="utf-8")
        with (self._folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [str(PYTHON), "-m", "synapse.app.homeserver", "--config-path", str(config)],
                cwd=self._folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"SYNAPSE_CACHE_FACTOR": "0.5", "PATH": "/usr/bin:/bin"},
            )
        self._wait_until_healthy()

    def stop(self) -> None:
        """End the process; its data stays."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self, **settings: object) -> None:
        """Stop it and start it again with other settings."""
        self.stop()
        self.start(**settings)

    def user(self, prefix: str = "user") -> MatrixUser:
        """Register somebody under a name that nobody has yet."""
        name, password = f"{prefix}-{secrets.token_hex(4)}", secrets.token_hex(8)
        path = "/_synapse/admin/v1/register"
        nonce = self.call("GET", path)["nonce"]
        signed = b"\0".join(x.encode() for x in (nonce, name, password, "notadmin"))
        made = self.call(
            "POST",
            path,
            {
                "nonce": nonce,
                "username": name,
                "password": password,
                "admin": False,
                "mac": hmac.new(self._secret.encode(), signed, hashlib.sha1).hexdigest(),
            },
        )
        return MatrixUser(made["user_id"], made["access_token"], made["device_id"], password)

    def call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, token: str = ""
    ) -> Any:
        """Make one request, as a client of the homeserver; an error answer raises HTTPError."""
        request = urllib.request.Request(  # noqa: S310  (always this homeserver)
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"}
            | ({"Authorization": f"Bearer {token}"} if token else {}),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  (see above)
            return json.loads(answer.read())

    def _settings(self) -> dict[str, object]:
        return {
            "server_name": SERVER_NAME,
            "public_baseurl": f"{self.url}/",
            "pid_file": str(self._folder / "homeserver.pid"),
            "listeners": [
                {
                    "port": self._port,
                    "bind_addresses": ["127.0.0.1"],
                    "type": "http",
                    "tls": False,
                    "x_forwarded": False,
                    "resources": [{"names": ["client", "media"], "compress": False}],
                }
            ],
            "database": {
                "name": "sqlite3",
                "args": {"database": str(self._folder / "homeserver.db")},
            },
            "log_config": str(self._folder / "log.yaml"),
            "media_store_path": str(self._folder / "media"),
            "signing_key_path": str(self._folder / "signing.key"),
            "registration_shared_secret": self._secret,
            "macaroon_secret_key": self._secret,
            "form_secret": self._secret,
            "report_stats": False,
            "enable_registration": False,
            "federation_domain_whitelist": [],
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "url_preview_enabled": False,
            "presence": {"enabled": False},
            # Otherwise the same question gets the old answer for two minutes.
            "caches": {"sync_response_cache_duration": "0s"},
            "bcrypt_rounds": 4,
            "app_service_config_files": [str(one) for one in self.registrations],
            **_no_limits(),
        }

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            process = self._process
            if process is None or process.poll() is not None or time.monotonic() > deadline:
                log = (self._folder / "output.log").read_text(errors="replace")
                self.stop()
                raise SynapseProblem(f"Synapse did not start:\n{log[-3000:]}")
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):  # noqa: S310
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)


def _no_limits() -> dict[str, object]:
    alone = (
        "rc_message",
        "rc_registration",
        "rc_joins_per_room",
        "rc_admin_redaction",
        "rc_3pid_validation",
        "rc_room_creation",
        "rc_media_create",
        "rc_delayed_event_mgmt",
        "rc_reports",
        "rc_key_requests",
    )
    return {
        **dict.fromkeys(alone, UNLIMITED),
        "rc_joins": {"local": UNLIMITED, "remote": UNLIMITED},
        "rc_invites": {"per_room": UNLIMITED, "per_user": UNLIMITED, "per_issuer": UNLIMITED},
        "rc_login": {"address": UNLIMITED, "account": UNLIMITED, "failed_attempts": UNLIMITED},
    }


def _write_files(folder: Path) -> None:
    key = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    (folder / "signing.key").write_text(f"ed25519 a_test {key}\n", encoding="ascii")
    log = {
        "version": 1,
        "handlers": {
            "f": {"class": "logging.FileHandler", "filename": str(folder / "homeserver.log")}
        },
        "root": {"level": "WARNING", "handlers": ["f"]},
        "disable_existing_loggers": False,
    }
    (folder / "log.yaml").write_text(json.dumps(log), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
