"""The embedded host from the command line, before and without Django."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agentapp.config.env import default_data_folder
from agentapp.management.stack.errors import StackError
from agentapp.management.stack.host import prepare_host, run_host
from agentapp.management.stack.login import print_login_link

DEFAULT_PORT = 8000
HIGHEST_PORT = 65_535


def report(line: str) -> None:
    """Show one line of progress at once; a closed terminal is no reason to fail."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        return


def run(*, port: int, data: Path) -> int:
    """Run a host until it is stopped and return the exit code."""
    try:
        host = prepare_host(port=port, data=data.expanduser().absolute(), report=report)
        return asyncio.run(run_host(host))
    except StackError as error:
        report(error.message)
        return 1
    except KeyboardInterrupt:
        return 130


def login(*, data: Path) -> int:
    """Print a fresh login link of a running host and return the exit code."""
    try:
        return print_login_link(data=data.expanduser().absolute())
    except StackError as error:
        report(error.message)
        return 1


def main(arguments: Sequence[str]) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="greenroom")
    actions = parser.add_subparsers(dest="action", required=True)
    running = actions.add_parser("run", help="run Greenroom with its own database and broker")
    add_run_arguments(running)
    actions.add_parser("login", help="print a fresh login link").add_argument(
        "--data", type=Path, default=chosen_data_folder()
    )
    options = parser.parse_args(arguments)
    if options.action == "login":
        return login(data=options.data)
    return run(port=options.port, data=options.data)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `run`."""
    parser.add_argument("--port", type=port_number, default=DEFAULT_PORT)
    parser.add_argument("--data", type=Path, default=chosen_data_folder())


def chosen_data_folder() -> Path:
    """Return the folder named by the environment, or the usual one."""
    named = os.environ.get("GREENROOM_DATA")
    return Path(named) if named else default_data_folder()


def port_number(text: str) -> int:
    """Read a TCP port."""
    if not text.isdigit() or not 1 <= int(text) <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 1 and {HIGHEST_PORT}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
