"""Pictures of a prompt: passed on to who reads them, told in words to who does not."""

from __future__ import annotations

import base64

from agentapp.llm.adapters import dialects
from agentapp.llm.adapters.protocol import ChatMessage, Picture, Request

IMAGE = "image"  # how servers call what they refuse
UNSEEN = "\n(You cannot see the pictures; you know only their names.)"


def sees(request: Request) -> bool:
    """Say whether a request's server gets pictures: it is set so, and never refused one."""
    return request.target.reads_pictures and IMAGE not in dialects.unknown_to(request)


def seen(part: ChatMessage, request: Request) -> tuple[Picture, ...]:
    """Return the pictures of a part that go to the server."""
    return part.pictures if sees(request) else ()


def words(part: ChatMessage, request: Request) -> str:
    """Return the words of a part, with a note where its pictures stay behind."""
    is_blind = part.pictures and not sees(request)
    return part.content + UNSEEN if is_blind else part.content


def shown(request: Request) -> set[str]:
    """Return what a server may refuse beside its parameters."""
    has_pictures = any(part.pictures for part in request.messages)
    return {IMAGE} if has_pictures and sees(request) else set()


def encoded(picture: Picture) -> str:
    """Return a picture's bytes as text."""
    return base64.b64encode(picture.content).decode("ascii")
