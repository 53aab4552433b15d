"""Keeps tokens and keys out of log lines."""

from __future__ import annotations

import logging
import re

from typing_extensions import override

HIDDEN = "[hidden]"
_SECRETS = re.compile(
    r"""
    sk-[A-Za-z0-9_-]{12,}                 # model provider keys
    | grm_[A-Za-z0-9]+_[A-Za-z0-9_-]{20,} # our API tokens
    | sy[rt]_[A-Za-z0-9_=-]{10,}          # Matrix access and refresh tokens
    | (?<=Bearer\ )[A-Za-z0-9._~+/=-]{8,}
    | (?<=/start/)[A-Za-z0-9_-]{20,}      # one-time login links
    | [MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,} # Discord tokens
    """,
    re.VERBOSE,
)


def redacted(text: str) -> str:
    """Replace everything that looks like a credential."""
    return _SECRETS.sub(HIDDEN, text)


class Redact(logging.Filter):
    """Rewrites a record's finished message; tracebacks keep types but lose credentials."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redacted(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
        return True
