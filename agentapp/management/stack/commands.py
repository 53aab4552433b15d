"""The command lines of Greenroom's own processes: the one place that spells them.

`docker-compose.yml` repeats them for production; a test compares the two.
"""

from __future__ import annotations

WORKER_THREADS = 8  # model calls wait, they do not compute

MIGRATE = ("manage.py", "migrate", "--verbosity", "0", "--skip-checks")
LOGIN_LINK = ("manage.py", "login-link")
BOTS = ("manage.py", "runbots")
WORKER = (
    "-m",
    "celery",
    "-A",
    "agentapp.config.celery",
    "worker",
    "-P",
    "threads",
    "-c",
    str(WORKER_THREADS),
    "--without-gossip",
    "--without-mingle",
    "-n",
    "worker@%h",
    "--loglevel",
    "WARNING",
)


def web(*, host: str, port: int) -> tuple[str, ...]:
    """Return the arguments of the web server, one process."""
    return (
        "-m",
        "uvicorn",
        "dashboard.asgi:application",
        "--host",
        host,
        "--port",
        str(port),
        "--workers",
        "1",
        "--log-level",
        "warning",
        "--no-access-log",
        "--timeout-graceful-shutdown",
        "2",
        "--ws-max-size",
        "65536",
        "--ws-per-message-deflate",
        "false",  # a hint of 80 bytes costs more to compress, for each page apart, than to send
    )


def beat(*, schedule: str) -> tuple[str, ...]:
    """Return the arguments of the clock; `schedule` is the file with its last run times."""
    return ("-m", "celery", "-A", "agentapp.config.celery", "beat", "-s", schedule)
