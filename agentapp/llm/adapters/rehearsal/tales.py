"""Small stories and riddles, put together from parts by a number."""

from __future__ import annotations

_OPENINGS = (
    "There was once {topic}, and nobody in the house would admit to owning it.",
    "On the third floor, they say, lives the tale of {topic}.",
    "It rained on the day when {topic} first caused trouble.",
)
_TURNS = (
    "{hero} found a note beside it that said only: not before Sunday.",
    "One morning it was gone, and in its place lay a single silver spoon.",
    "{hero} asked it a question, as a joke, and it cleared its throat.",
)
_CHOICES = (
    "What do you do, {hero}: follow the footprints, or put the kettle on first?",
    "Do you open the door, {hero}, or do you knock and pretend to be the postman?",
    "Somebody is coming up the stairs. Quick, {hero}: hide it, or own up?",
)
_RIDDLES = (
    "Here is one: the more you take from it, the bigger it gets. What is it?",
    "Try this: it has a neck and no head, and everybody here has emptied one. What is it?",
    "A small one: it goes up and down the stairs and never moves. What is it?",
    "For the table: what belongs to you, but is used more by others?",
)


def story(*, topic: str, hero: str, seed: int) -> str:
    """Tell the beginning of a story in three sentences and leave the choice to the hero."""
    parts = (
        _OPENINGS[seed % len(_OPENINGS)],
        _TURNS[seed // 3 % len(_TURNS)],
        _CHOICES[seed // 9 % len(_CHOICES)],
    )
    return " ".join(part.format(topic=topic, hero=hero) for part in parts)


def riddle(*, seed: int) -> str:
    """Ask one riddle."""
    return _RIDDLES[seed % len(_RIDDLES)]
