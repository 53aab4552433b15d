"""One child process: what it is, and how it is started so that it cannot outlive the host."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentapp.management.stack.accounts import ServiceAccount

PR_SET_PDEATHSIG = 1  # from linux/prctl.h
PRIVATE_UMASK = 0o077
LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC

_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def always() -> bool:
    """Answer for a program that is ready once it runs."""
    return True


@dataclass(frozen=True)
class Program:
    """A process the host keeps running.

    `grace_seconds` is how long it may take after `stop_signal` before it is killed;
    `death_signal` is what the kernel sends it when the host itself is gone.
    """

    name: str
    arguments: tuple[str, ...]
    account: ServiceAccount
    folder: Path
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 2.5
    death_signal: signal.Signals = signal.SIGKILL
    inherited_files: tuple[int, ...] = ()
    is_ready: Callable[[], bool] = always


def launch(program: Program, *, output: int | None = None) -> subprocess.Popen[bytes]:
    """Start a program in its own process group. Call it from the main thread only.

    The kernel's death signal is tied to the thread that starts the child, not to the process.

    Args:
        program: What to start.
        output: A file descriptor for its standard output; its log when not given.
    """
    log = os.open(program.log, LOG_FLAGS, 0o600)
    try:
        return subprocess.Popen(
            program.arguments,
            cwd=program.folder,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=log if output is None else output,
            stderr=log,
            umask=PRIVATE_UMASK,
            process_group=0,
            pass_fds=program.inherited_files,
            # One prctl and one getppid, with everything loaded before the fork; it has to run
            # after the change of account, which clears the death signal.
            preexec_fn=_die_with_parent(program.death_signal),  # noqa: PLW1509
            **program.account.identity(),
        )
    finally:
        os.close(log)


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()
    number = int(death_signal)

    def prepare() -> None:
        if _PRCTL is None:
            return
        _PRCTL(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # the host died between the fork and the line above
            os._exit(1)

    return prepare


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of a child's process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
