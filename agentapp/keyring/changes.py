"""What changed in a login's keys, in the shapes in which connectors hand it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from typing_extensions import override

KeyName: TypeAlias = tuple[str, str]  # kind and name


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key in plain words, and the handle that it came from; "" for one's own."""

    text: str = field(repr=False)
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Something that could not be read: `key_name` would open it."""

    room_external_id: str
    external_id: str
    key_name: str
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredSealed:
    """Something kept unread, under its number here."""

    number: int
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """Changes that belong together, made from what stood under `version`.

    Attributes:
        kept: What cannot be read yet.
        read: Numbers of what was kept and is read now, or never will be.
        gone: Room and event of what was removed there before it could be read.
    """

    version: int
    put: dict[KeyName, KeyText] = field(default_factory=dict, repr=False)
    dropped: frozenset[KeyName] = frozenset()
    kept: tuple[Sealed, ...] = ()
    read: tuple[int, ...] = ()
    gone: tuple[tuple[str, str], ...] = ()

    def is_empty(self) -> bool:
        """Say whether there is nothing to store."""
        return not (self.put or self.dropped or self.kept or self.read or self.gone)

    @override
    def __repr__(self) -> str:
        """Return how many there are, without any of them."""
        return f"<{len(self.put)} changes from version {self.version}>"


@dataclass(frozen=True, slots=True)
class MadeKeys:
    """Keys of a device that were made and shown to its platform.

    Attributes:
        fingerprint: Public; people compare it.
    """

    device: str
    fingerprint: str
    keys: dict[KeyName, KeyText] = field(repr=False)
