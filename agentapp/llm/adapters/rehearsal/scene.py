"""What the rehearsal model understands of a prompt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the room's talk."""

    author: str
    text: str
    is_agent: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything an answer may be made of; nothing else is known.

    Attributes:
        name: The agent's own name.
        interests: What the agent likes to talk about.
        memories: Sentences of the asker that the agent may bring up here, in the asker's words.
        talk: The room's recent messages, oldest first, without the question.
        present: Names of people and agents who are in the room.
        asker: Who is being answered.
        question: The message that is being answered.
        shares_name: Somebody else in the room has the asker's name, so that the talk does not say
            whose words are whose.
    """

    name: str
    interests: tuple[str, ...] = ()
    memories: tuple[str, ...] = ()
    talk: tuple[Said, ...] = ()
    present: tuple[str, ...] = ()
    asker: str = ""
    question: str = ""
    shares_name: bool = False
