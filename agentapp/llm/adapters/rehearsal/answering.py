"""Makes one short answer out of a scene: recalls, admits, picks, retells, or just replies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Final

from agentapp.llm.adapters.rehearsal import recalling, tales, wording
from agentapp.llm.adapters.rehearsal.scene import Scene

RECAP_LINES = 3
RECAP_CHARACTERS = 60

_WHO_ARE_YOU = re.compile(
    r"\b(?:who|what) are you\b|\bare you (?:an? )?(?:ai|bot|human|real|robot|person)\b|"
    r"\bintroduce yourself\b|\byour name\b",
    re.IGNORECASE,
)
_RECAP = re.compile(
    r"\bwhat did (?:i|we) miss\b|\bcatch me up\b|\bsum(?:marise|marize)?\b.*\b(?:up|talk|room|this)"
    r"\b|\brecap\b|\bwhat (?:were|are) we talking about\b|\bwhere were we\b",
    re.IGNORECASE,
)
_STORY = re.compile(r"\b(?:story|tale)\b(?:\s+(?:about|of|with)\s+(?P<topic>[^.?!,]{2,60}))?", re.I)
_RIDDLE = re.compile(r"\b(?:riddle|quiz)\b", re.IGNORECASE)
_CHOICE = re.compile(
    r"(?:^|[,:]\s*)(?P<first>[^,:?]{1,40}?),? or (?P<second>[^,:?]{1,40})\?", re.IGNORECASE
)
_BEFORE_OPTION = re.compile(
    r"^.*\b(?:do you (?:prefer|like|want)|(?:should|shall|could) (?:i|we)|prefer|for me|is it|"
    r"would you|rather|we have|take)\b",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"\b(?:what|where|how) (?:should|could|shall) (?:i|we)\b|\bany (?:idea|advice|tip)s?\b|"
    r"\bsuggest|\brecommend|\bhelp me\b",
    re.IGNORECASE,
)
_OF_ANOTHER = re.compile(r"\b([A-ZÀ-ÖØ-Þ][\w-]{1,29})['\u2019]s\b")
_ON_ANOTHER = re.compile(r"\b(?:did|does|is|has|was|will) ([A-ZÀ-ÖØ-Þ][\w-]{1,29})\b")
_SEEKS = re.compile(
    r"(?:what|who|whose|when|where|which|how|do you (?:know|remember|recall)|remind me|tell me)\b",
    re.IGNORECASE,
)
_THANKS = re.compile(r"\b(?:thanks|thank you|cheers|ta)\b", re.IGNORECASE)
_HELLO = re.compile(r"^\W*(?:hello|hi|hey|good (?:morning|evening)|morning|evening)\b", re.I)
_BYE = re.compile(r"\b(?:good night|bye|see you|off to bed|have to run)\b", re.IGNORECASE)
_OWN = re.compile(r"\b(?:my|i|i'm|i've|our|we)\b", re.IGNORECASE)

DOES_NOT_KNOW: Final = (
    "I do not know that, {asker}. I am only the rehearsal model: I can go by what people told me "
    "here, and nobody has told me this.",
    "No idea, {asker}, and I would rather say so than guess. The rehearsal model knows this room "
    "and nothing else.",
    "That is beyond me, {asker}. A real model might know; I only rehearse with what is said here.",
)
NOT_TOLD: Final = (
    "You have not told me that yet, {asker}.",
    "That I do not know, {asker}: you have not told me.",
)


def answer(scene: Scene) -> str:
    """Return one answer; the same scene always gets the same one."""
    asked = wording.without_address(" ".join(scene.question.split()), [scene.name])
    for reply in _REPLIES:
        text = reply(scene, asked)
        if text:
            return text
    return _pick(_NODS, scene).format(asker=scene.asker).strip()


def _introduces(scene: Scene, asked: str) -> str:
    if not _WHO_ARE_YOU.search(asked):
        return ""
    likes = f" I like to talk about {_listed(scene.interests[:3])}." if scene.interests else ""
    return f"I am {scene.name}, an AI, speaking through the rehearsal model.{likes}"


def _retells(scene: Scene, asked: str) -> str:
    if not _RECAP.search(asked):
        return ""
    newest: dict[str, str] = {}
    for said in reversed(scene.talk):
        if said.is_agent or said.author == scene.asker:
            continue
        if len(newest) < RECAP_LINES:
            newest.setdefault(said.author, said.text)
    if not newest:
        return f"Not much, {scene.asker}: nobody else has spoken since I began to listen."
    parts = [f'{author} said "{_shortened(text)}"' for author, text in reversed(newest.items())]
    return f"In short, {scene.asker}: {'; '.join(parts)}."


def _keeps_for_others(scene: Scene, asked: str) -> str:
    """Refuse to answer for somebody else, whatever was said in the room."""
    if not wording.is_question(asked):
        return ""
    others = {said.author for said in scene.talk} | set(scene.present)
    named = [*_OF_ANOTHER.findall(asked), *_ON_ANOTHER.findall(asked)]
    other = next((name for name in named if name in others - {scene.name, scene.asker}), "")
    if not other:
        return ""
    return f"That is for {other} to tell. What people tell me I bring up with them only."


def _recalls(scene: Scene, asked: str) -> str:
    if not wording.is_question(asked) or not recalling.is_about_asker(asked):
        return ""
    if _ADVICE.search(asked) or _CHOICE.search(asked):
        return ""
    own_words = [
        said.text
        for said in scene.talk
        if said.author == scene.asker and not said.is_agent and not scene.shares_name
    ]
    # The best memory comes first in a prompt and the newest message last; the last one wins.
    statements = recalling.told([*reversed(scene.memories), *own_words], names=[scene.name])
    statement = recalling.best_statement(asked, statements)
    if not statement:
        return _pick(NOT_TOLD, scene).format(asker=scene.asker) if _SEEKS.match(asked) else ""
    return _pick(_RECALLED, scene).format(
        fact=wording.as_sentence(wording.turned(statement)), asker=scene.asker
    )


def _tells(scene: Scene, asked: str) -> str:
    found = _STORY.search(asked)
    if found is None or not (wording.is_question(asked) or "tell" in asked.casefold()):
        return ""
    topic = (found["topic"] or "").strip() or _topic_of(scene)
    return tales.story(topic=wording.turned(topic), hero=scene.asker, seed=_seed(scene))


def _riddles(scene: Scene, asked: str) -> str:
    return tales.riddle(seed=_seed(scene)) if _RIDDLE.search(asked) else ""


def _chooses(scene: Scene, asked: str) -> str:
    found = _CHOICE.search(asked)
    if found is None:
        return ""
    options = [_option(found["first"]), _option(found["second"])]
    chosen = options[_seed(scene) % 2]
    return _pick(_CHOICES, scene).format(
        chosen=f"{chosen[:1].upper()}{chosen[1:]}", asker=scene.asker
    )


def _advises(scene: Scene, asked: str) -> str:
    return _pick(_ADVICE_GIVEN, scene).format(asker=scene.asker) if _ADVICE.search(asked) else ""


def _admits(scene: Scene, asked: str) -> str:
    if not wording.is_question(asked):
        return ""
    return _pick(DOES_NOT_KNOW, scene).format(asker=scene.asker)


def _is_polite(scene: Scene, asked: str) -> str:
    if _THANKS.search(scene.question):
        return _pick(_WELCOMES, scene).format(asker=scene.asker)
    if _BYE.search(scene.question):
        return _pick(_FAREWELLS, scene).format(asker=scene.asker)
    if _HELLO.match(scene.question) and len(wording.subjects(asked)) <= 1:
        return f"Hello {scene.asker}. Good to see you."
    return ""


def _notes(scene: Scene, asked: str) -> str:
    """Take in what somebody tells about themselves, and say it back once."""
    statements = recalling.told([asked], names=[scene.name])
    own = [each for each in statements if _OWN.search(each.replace("\u2019", "'"))]
    if not own:
        return ""
    fact = wording.turned(own[-1]).strip().rstrip(" .!")
    return _pick(_NOTED, scene).format(fact=fact, asker=scene.asker)


_REPLIES: Final[tuple[Callable[[Scene, str], str], ...]] = (
    _introduces, _retells, _tells, _riddles, _keeps_for_others, _recalls, _chooses, _advises,
    _admits, _is_polite, _notes,
)  # fmt: skip

_RECALLED = (
    "{fact}",
    "I remember, {asker}: {fact}",
    "You told me. {fact}",
)
_NOTED = (
    "Noted, {asker}: {fact}.",
    "I will keep that in mind, {asker}: {fact}.",
    "Good to know, {asker}. So {fact}.",
)
_CHOICES = (
    "{chosen}. I have no strong reasons, but I have a strong feeling.",
    "{chosen}, {asker}. One can always change one's mind after supper.",
    "I would go for this one: {chosen}.",
)
_ADVICE_GIVEN = (
    "The smallest step first, {asker}. Ten minutes, then tea, then see whether it still frightens "
    "you.",
    "Ask whoever did it last, {asker}. They know where it hurts.",
    "Sleep on it, {asker}. Most things look like themselves again in the morning.",
    "Write it on a note and stick it where the kettle is. That is where everybody looks.",
)
_WELCOMES = ("Any time, {asker}.", "With pleasure, {asker}.", "You are welcome, {asker}.")
_FAREWELLS = ("Good night, {asker}.", "See you, {asker}. Mind the third stair.")
_NODS = (
    "I see what you mean, {asker}.",
    "Fair enough, {asker}.",
    "That has the sound of a longer story, {asker}. I am listening.",
    "I would not argue with that, {asker}.",
)


def _topic_of(scene: Scene) -> str:
    return scene.interests[_seed(scene) % len(scene.interests)] if scene.interests else "a kettle"


def _option(text: str) -> str:
    return _BEFORE_OPTION.sub("", text.strip()).strip(" ,:") or text.strip()


def _shortened(text: str) -> str:
    flat = " ".join(text.split()).replace('"', "'").rstrip(".")
    if len(flat) <= RECAP_CHARACTERS:
        return flat
    return f"{flat[:RECAP_CHARACTERS].rsplit(' ', 1)[0]} …"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _seed(scene: Scene) -> int:
    words = f"{scene.name}|{scene.asker}|{scene.question}|{len(scene.talk)}"
    return int.from_bytes(hashlib.sha256(words.encode("utf-8", "replace")).digest()[:4])


def _pick(options: Sequence[str], scene: Scene) -> str:
    return options[_seed(scene) % len(options)]
