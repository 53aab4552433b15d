"""What is known of one room while its login is connected: read from state events, never trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agentapp.foundation.envelope import Author, Place
from bots.matrix.parse import id_of, short_name, user_of
from bots.matrix.power import Powers

MAX_NAMES = 500  # members of a room whose names are kept
MAX_NAME = 200  # characters
MAX_BRIDGES = 20  # into one room
# How a bridge says which of a room's members is its own bot; the second name came first.
BRIDGES = ("m.bridge", "uk.half-shot.bridge")
DIRECT = 2  # members of a room in which every message is meant for the other one


@dataclass
class RoomView:
    """One room as its state events describe it.

    Attributes:
        joined: Members, as the homeserver counts them; 0 while it has not said.
        encryption: How it is encrypted; None where it is not.
        create: The event that made the room, whole. levels: The content of its power levels.
        bridge_bots: Members that only carry what is said elsewhere and speak of themselves.
        successor: The room that replaced this one; "" while none did.
    """

    room_id: str
    own_id: str
    name: str = ""
    alias: str = ""
    is_space: bool = False
    encryption: Mapping[str, object] | None = None
    is_public: bool = False
    is_gone: bool = False
    successor: str = ""
    successor_via: str = ""
    joined: int = 0
    invited: int = 0
    names: dict[str, str] = field(default_factory=dict)
    create: Mapping[str, object] = field(default_factory=dict)
    levels: Mapping[str, object] | None = None
    bridge_bots: set[str] = field(default_factory=set)

    @property
    def is_encrypted(self) -> bool:
        """Say whether its people expect secrecy."""
        return self.encryption is not None

    def is_moderator(self, user_id: str) -> bool:
        """Say whether somebody looks after this room. While its state is not known, nobody does."""
        return bool(self.create) and Powers(self.create, self.levels).is_moderator(user_id)

    def take_summary(self, summary: object) -> None:
        """Take in the homeserver's count of members."""
        if not isinstance(summary, Mapping):
            return
        for key, attribute in (
            ("m.joined_member_count", "joined"),
            ("m.invited_member_count", "invited"),
        ):
            value = summary.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                setattr(self, attribute, value)

    def take_state(self, events: Iterable[object]) -> None:
        """Take in state events, in their order; what is no state event is passed over."""
        for event in events:
            if isinstance(event, Mapping) and isinstance(event.get("state_key"), str):
                content = event.get("content")
                self._take(event, content if isinstance(content, Mapping) else {})

    def _take(self, event: Mapping[str, object], content: Mapping[str, object]) -> None:
        kind, key = event.get("type"), event.get("state_key")
        if kind == "m.room.member":
            self._take_member(str(key), content)
        elif kind in BRIDGES:
            self._take_bridge(content)
        elif key == "" and isinstance(kind, str):
            self._take_alone(kind, event, content)

    def _take_bridge(self, content: Mapping[str, object]) -> None:
        bot = user_of(content.get("bridgebot"))
        if bot and len(self.bridge_bots) < MAX_BRIDGES:
            self.bridge_bots.add(bot)

    def _take_alone(
        self, kind: str, event: Mapping[str, object], content: Mapping[str, object]
    ) -> None:
        match kind:
            case "m.room.create":
                self.is_space = content.get("type") == "m.space"
                self.create = event
            case "m.room.power_levels":
                self.levels = content
            case "m.room.name":
                self.name = _words(content.get("name"))
            case "m.room.canonical_alias":
                self.alias = _words(content.get("alias"))
            case "m.room.join_rules":
                self.is_public = content.get("join_rule") == "public"
            case "m.room.encryption":
                self.encryption = content  # there is no way back
            case "m.room.tombstone":
                self.is_gone = True
                self.successor = id_of(content.get("replacement_room"), "!")
                self.successor_via = user_of(event.get("sender")).partition(":")[2]

    def _take_member(self, user_id: str, content: Mapping[str, object]) -> None:
        if content.get("membership") != "join" or not user_of(user_id):
            self.names.pop(user_id, None)
            return
        self.names.pop(user_id, None)
        if len(self.names) >= MAX_NAMES:
            self.names.pop(next(iter(self.names)))
        self.names[user_id] = _words(content.get("displayname")) or short_name(user_id)

    def place(self) -> Place:
        """Return the room as the engine knows rooms."""
        return Place(
            external_id=self.room_id,
            name=self.name or self.alias or self._members_words(),
            kind=self._kind(),
            is_public=self.is_public,
        )

    def _kind(self) -> str:
        if self.is_space:
            return "group"
        is_for_two = 0 < self.joined + self.invited <= DIRECT and not self.is_public
        return "direct" if is_for_two else "room"

    def _members_words(self) -> str:
        others = [name for user_id, name in self.names.items() if user_id != self.own_id]
        return ", ".join(others[:3])


@dataclass(frozen=True, slots=True)
class Invite:
    """An invitation into a room, and who it is from. It is shown once, without an event id."""

    place: Place
    by: Author
    is_encrypted: bool


def parse_invite(room_id: str, invited: object, *, own_id: str) -> Invite | None:
    """Return an invitation, or None when what came is not one for this login."""
    if not id_of(room_id, "!") or not isinstance(invited, Mapping):
        return None
    state = invited.get("invite_state")
    events = state.get("events") if isinstance(state, Mapping) else None
    if not isinstance(events, list):
        return None
    view = RoomView(room_id, own_id)
    view.take_state(events)
    for event in events:
        found = _own_invitation(event, view)
        if found is not None:
            return found
    return None


def _own_invitation(event: object, view: RoomView) -> Invite | None:
    if not isinstance(event, Mapping) or event.get("type") != "m.room.member":
        return None
    content, sender = event.get("content"), user_of(event.get("sender"))
    if event.get("state_key") != view.own_id or not isinstance(content, Mapping) or not sender:
        return None
    if content.get("membership") != "invite":
        return None
    by = Author(sender, view.names.get(sender) or short_name(sender))
    kind = "direct" if content.get("is_direct") is True else view.place().kind
    place = Place(view.room_id, view.name or by.name, kind, is_public=view.is_public)
    return Invite(place, by, view.is_encrypted)


@dataclass(frozen=True, slots=True)
class Departure:
    """That this login is no longer in a room: by its own will, or put out."""

    room_id: str
    is_removed: bool
    reason: str


def parse_departure(room_id: str, left: object, *, own_id: str) -> Departure | None:
    """Return how a login came to be outside a room that it was in or invited into."""
    if not id_of(room_id, "!") or not isinstance(left, Mapping):
        return None
    last: Mapping[str, object] = {}
    for part in ("state", "timeline"):
        section = left.get(part)
        events = section.get("events") if isinstance(section, Mapping) else None
        for event in events if isinstance(events, list) else []:
            if isinstance(event, Mapping) and event.get("type") == "m.room.member":
                last = event if event.get("state_key") == own_id else last
    content = last.get("content")
    content = content if isinstance(content, Mapping) else {}
    by_another = bool(last) and last.get("sender") != own_id
    return Departure(room_id, by_another, _words(content.get("reason")))


def _words(value: object) -> str:
    return value[:MAX_NAME] if isinstance(value, str) else ""
