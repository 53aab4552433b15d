"""What somebody may do in a room, worked out from its state. Pure; odd state grants nothing more.

From room version 12 on the creators stand above all levels and are not listed among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INFINITE = 2**60
CREATORS_STAND_ABOVE = 12  # room version
DEFAULT_STATE, DEFAULT_ADMIN = 50, 100


@dataclass(frozen=True, slots=True)
class Powers:
    """The levels of a room.

    Attributes:
        create: The room's create event, whole. levels: Content of its power levels; None when
            it has none.
    """

    create: Mapping[str, object]
    levels: Mapping[str, object] | None

    def of(self, user_id: str) -> int:
        """Return a user's level."""
        is_creator = user_id in self._creators()
        if is_creator and self._creators_stand_above():
            return INFINITE
        if self.levels is None:
            return DEFAULT_ADMIN if is_creator else 0
        users = self.levels.get("users")
        default = _level(self.levels, "users_default", 0)
        return _level(users, user_id, default) if isinstance(users, Mapping) else default

    def needed(self, kind: str, *, is_state: bool = False) -> int:
        """Return the level that sending an event of a kind takes."""
        levels = self.levels or {}
        events = levels.get("events")
        without = _level(levels, "state_default", DEFAULT_STATE if self.levels is not None else 0)
        default = without if is_state else _level(levels, "events_default", 0)
        return _level(events, kind, default) if isinstance(events, Mapping) else default

    def may_send(self, user_id: str, kind: str) -> bool:
        """Say whether a user may send such an event."""
        return self.of(user_id) >= self.needed(kind)

    def may_act(self, user_id: str, act: str) -> bool:
        """Say whether a user may kick, ban, redact others' events or invite."""
        default = 0 if act == "invite" else DEFAULT_STATE
        return self.of(user_id) >= _level(self.levels or {}, act, default)

    def is_moderator(self, user_id: str) -> bool:
        """Say whether a user looks after this room."""
        return self.of(user_id) >= DEFAULT_STATE

    def _creators(self) -> set[str]:
        content = self.create.get("content")
        content = content if isinstance(content, Mapping) else {}
        listed = [self.create.get("sender")]
        if self._creators_stand_above():
            more = content.get("additional_creators")
            listed += more if isinstance(more, list) else []
        elif isinstance(content.get("creator"), str):
            listed = [content.get("creator")]
        return {one for one in listed if isinstance(one, str)}

    def _creators_stand_above(self) -> bool:
        content = self.create.get("content")
        version = content.get("room_version") if isinstance(content, Mapping) else None
        return (
            isinstance(version, str)
            and version.isdecimal()
            and len(version) < 4
            and (int(version) >= CREATORS_STAND_ABOVE)
        )


def _level(levels: Mapping[str, object], name: str, default: int) -> int:
    """Return a level; old rooms may hold one as text."""
    value = levels.get(name)
    if isinstance(value, bool):
        return default
    if isinstance(value, str) and len(value) < 18 and value.strip().lstrip("+-").isdecimal():
        return int(value)
    return value if isinstance(value, int) else default
