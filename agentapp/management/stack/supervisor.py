"""Keeps children running: starts them, restarts what crashed, stops them in order."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress

from agentapp.management.stack.backoff import Backoff
from agentapp.management.stack.errors import StackError
from agentapp.management.stack.logs import cap_log
from agentapp.management.stack.programs import Program, kill_group, launch

WATCH_SECONDS = 0.05
PROBE_SECONDS = 0.05
LOG_CHECK_SECONDS = 5.0
CRASHES_BEFORE_GIVING_UP = 5  # while starting; a host that is up never gives up


class Keeper:
    """One program and the process that runs it at the moment."""

    def __init__(self, program: Program, report: Callable[[str], None]) -> None:
        self.program = program
        self.backoff = Backoff()
        self.process = launch(program)
        self._report = report
        self._is_stopping = False
        self._watch = asyncio.create_task(self._restart_whenever_it_ends())

    async def wait_until_ready(self, *, patience_seconds: float) -> None:
        """Wait for the program's own sign of readiness.

        Raises:
            StackError: It kept crashing, or took longer than `patience_seconds`.
        """
        deadline = time.monotonic() + patience_seconds
        while not (self.process.poll() is None and self.program.is_ready()):
            has_given_up = (
                self.backoff.crashes >= CRASHES_BEFORE_GIVING_UP or time.monotonic() > deadline
            )
            if has_given_up:
                raise StackError(
                    f"{self.program.name} did not start. The end of {self.program.log} says why."
                )
            await asyncio.sleep(PROBE_SECONDS)

    async def stop(self) -> None:
        """Ask the process to stop, kill it after its grace, and start no other."""
        self._is_stopping = True
        self._watch.cancel()
        with suppress(asyncio.CancelledError):
            await self._watch
        if self.process.poll() is None:
            self.process.send_signal(self.program.stop_signal)
        with suppress(TimeoutError):
            await asyncio.wait_for(wait_for_end(self.process), self.program.grace_seconds)
        kill_group(self.process)
        self.process.wait()

    async def _restart_whenever_it_ends(self) -> None:
        while not self._is_stopping:
            started = time.monotonic()
            code = await wait_for_end(self.process)
            kill_group(self.process)
            delay = self.backoff.next_delay(ran_seconds=time.monotonic() - started)
            self._report(
                f"{self.program.name} stopped ({_describe(code)}); starting it again in "
                f"{delay:.1f} s. Its log is {self.program.log}"
            )
            await asyncio.sleep(delay)
            self._launch_again()

    def _launch_again(self) -> None:
        try:
            self.process = launch(self.program)
        except OSError as error:  # no process or file left to be had; the ended one counts again
            self._report(f"{self.program.name} could not be started: {error.strerror}")


class Supervisor:
    """All keepers of a host, in the order in which they were started."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.keepers: list[Keeper] = []
        self._report = report

    def start(self, program: Program) -> Keeper:
        """Start a program and keep it running. Call it from the main thread."""
        keeper = Keeper(program, self._report)
        self.keepers.append(keeper)
        return keeper

    async def stop(self, names: frozenset[str]) -> None:
        """Stop the named programs together."""
        chosen = [keeper for keeper in self.keepers if keeper.program.name in names]
        await asyncio.gather(*(keeper.stop() for keeper in chosen))
        self.keepers = [keeper for keeper in self.keepers if keeper not in chosen]

    async def stop_all(self, *, together: frozenset[str]) -> None:
        """Stop one group of programs at once, then the others in reverse order of their start."""
        await self.stop(together)
        while self.keepers:
            await self.stop(frozenset({self.keepers[-1].program.name}))

    async def cap_logs(self) -> None:
        """Keep every log below its limit, for as long as the host runs."""
        while True:
            for keeper in self.keepers:
                cap_log(keeper.program.log)
            await asyncio.sleep(LOG_CHECK_SECONDS)


async def run_to_end(program: Program) -> str:
    """Run a program that ends by itself and return its standard output.

    Raises:
        StackError: It ended with a failure.
    """
    with tempfile.TemporaryFile() as output:
        process = launch(program, output=output.fileno())
        try:
            code = await wait_for_end(process)
        finally:
            kill_group(process)
            process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    if code != 0:
        raise StackError(
            f"{program.name} failed ({_describe(code)}). The end of {program.log} says why."
        )
    return text


async def wait_for_end(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code once the process has ended."""
    while (code := process.poll()) is None:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(WATCH_SECONDS)
    return code


def _describe(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
