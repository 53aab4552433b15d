"""What Discord refuses, with its status, its code and its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request is answered with this instead of what it asked for."""

    def __init__(
        self, status: int, code: int, message: str, errors: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> dict[str, Any]:
        told: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors:
            told["errors"] = self.errors
        return told


UNAUTHORIZED = (401, 0, "401: Unauthorized")
NO_SUCH_ROUTE = (404, 0, "404: Not Found")
UNKNOWN_CHANNEL = (404, 10003, "Unknown Channel")
UNKNOWN_GUILD = (404, 10004, "Unknown Guild")
UNKNOWN_MEMBER = (404, 10007, "Unknown Member")
UNKNOWN_MESSAGE = (404, 10008, "Unknown Message")
UNKNOWN_USER = (404, 10013, "Unknown User")
UNKNOWN_WEBHOOK = (404, 10015, "Unknown Webhook")
UNKNOWN_INTERACTION = (404, 10062, "Unknown interaction")
UNKNOWN_COMMAND = (404, 10063, "Unknown application command")
ALREADY_ANSWERED = (400, 40060, "Interaction has already been acknowledged.")
TOO_LARGE = (413, 40005, "Request entity too large")
NOT_IN_A_FORUM = (400, 40058, "Cannot message this thread until after the post author has")
MISSING_ACCESS = (403, 50001, "Missing Access")
NOT_YOURS = (403, 50005, "Cannot edit a message authored by another user")
EMPTY_MESSAGE = (400, 50006, "Cannot send an empty message")
DM_REFUSED = (403, 50007, "Cannot send messages to this user")
NOT_IN_THIS_TYPE = (400, 50008, "Cannot send messages in a non-text channel")
MISSING_PERMISSIONS = (403, 50013, "Missing Permissions")
WEBHOOK_TOKEN = (401, 50027, "Invalid Webhook Token")
THREAD_ARCHIVED = (400, 50083, "Thread is archived")
THREAD_EXISTS = (400, 160004, "A thread has already been created for this message")
CANNOT_READ_HISTORY = (403, 160002, "You cannot reply without permission to read message history")


def invalid(field: str, code: str, message: str) -> Refused:
    """Return the refusal of a form: one field of it is wrong."""
    wrong: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(field.split(".")):
        wrong = {part: wrong}
    return Refused(400, 50035, "Invalid Form Body", wrong)
