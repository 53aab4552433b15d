"""Why a file is not taken."""

from __future__ import annotations

from agentapp.foundation.errors import Invalid, Refused


class EmptyFile(Invalid):
    """This file is empty."""

    code = "empty_file"


class FileTooLarge(Invalid):
    """This file is too large."""

    code = "file_too_large"


class ProgramRefused(Invalid):
    """Programs are not taken."""

    code = "program_refused"


class TooManyFiles(Invalid):
    """These are too many files for one message."""

    code = "too_many_files"


class NoRoomForFiles(Refused):
    """Enough files for today. They will be taken again tomorrow."""

    code = "no_room_for_files"
