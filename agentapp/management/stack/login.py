"""A fresh login link from a host that is already running."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

from agentapp.management.stack import commands
from agentapp.management.stack.accounts import service_account
from agentapp.management.stack.data_folder import LOCK, DataFolder
from agentapp.management.stack.environment_variables import child_environment
from agentapp.management.stack.errors import StackError
from agentapp.management.stack.installation import existing_installation


def print_login_link(*, data: Path) -> int:
    """Run the command that prints the link, as the host's own account.

    Raises:
        StackError: No host runs on this folder, or it belongs to somebody else.
    """
    folder = DataFolder(root=data, account=service_account(create=False))
    _refuse_without_host(data)
    values = dict(
        line.split("=", 1)
        for line in folder.stack_file.read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    installation = existing_installation(folder.account, copy=folder.program_copy)
    return subprocess.run(
        installation.command(commands.LOGIN_LINK),
        check=False,
        cwd=installation.folder,
        env=child_environment(values, account=folder.account, home=data),
        stdin=subprocess.DEVNULL,
        **folder.account.identity(),
    ).returncode


def _refuse_without_host(data: Path) -> None:
    idle = StackError(
        f"Greenroom is not running on {data}. Start it with `make run`; "
        "`make login DATA=/folder` asks a host with another data folder."
    )
    try:
        with (data / LOCK).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except PermissionError as error:
        raise StackError(
            f"The data folder {data} belongs to another account. Run `make login` as that account."
        ) from error
    except OSError as error:
        raise idle from error
    raise idle
