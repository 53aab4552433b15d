"""Who wants to know that somebody is looking: called for each heartbeat of an open page."""

from __future__ import annotations

from collections.abc import Callable

from agentapp.demo import services as demo
from agentapp.identity.models import User


def _watch_demo(user_id: int) -> None:
    """Keep the user's demo going while it is looked at."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is not None:
        demo.watch(user=user)


WATCHERS: list[Callable[[int], None]] = [_watch_demo]
