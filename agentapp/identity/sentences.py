"""An agent from one sentence. No model is asked; the same sentence always gives the same agent."""

from __future__ import annotations

import re

from agentapp.foundation.text import normalised, one_line
from agentapp.identity.templates import CAPABILITIES, MANNERS

MAX_SENTENCE = 400  # characters of a description that are used
_LEAD = re.compile(
    r"^(?:please\s+)?(?:(?:i(?:'d| would)? (?:want|like|need)|make|create|build|give)\s+(?:me\s+)?|"
    r"(?:she|he|it|they|you)(?:'s|'re| is| are)\s+|you(?:'re| are)\s+)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(?:called|named|name is)\s+[\"']?(?P<name>[^\W\d_][\w\u2019'-]{1,29})", re.IGNORECASE
)
_NAME_FIRST = re.compile(
    r"^(?P<name>[A-ZÀ-ÖØ-Þ][\w\u2019'-]{1,29}),?\s+(?:is\s+)?(?:an?|the|who)\b"
)
_ARTICLES = {"A", "An", "The", "Somebody", "Someone", "Please", "Make", "Create", "She", "He", "It"}
_ABOUT = re.compile(
    r"\b(?:about|on|with|loves?|likes?|knows?(?: about)?|into|fond of|expert (?:in|on)|"
    r"interested in)\s+(?P<topics>[^.;:!?]+)",
    re.IGNORECASE,
)
_TOPIC_END = re.compile(
    r"\b(?:who|which|that|but|because|when|while|for|to|in a|in the|called|named)\b.*$",
    re.IGNORECASE,
)
_TOPIC_BREAK = re.compile(r"\s*(?:,|\band\b|\bor\b|/|&|\bplus\b)\s*", re.IGNORECASE)
_LANGUAGES = {
    "english": "en", "german": "de", "deutsch": "de", "french": "fr", "spanish": "es",
    "italian": "it", "portuguese": "pt", "dutch": "nl", "polish": "pl", "turkish": "tr",
    "swedish": "sv", "japanese": "ja", "chinese": "zh", "arabic": "ar", "russian": "ru",
    "ukrainian": "uk",
}  # fmt: skip
_MOODS = (
    (re.compile(r"\b(?:exact|precise|factual|careful|serious|strict|sober|formal)\b", re.I), 0.3),
    (re.compile(r"\b(?:funny|playful|wild|poet\w*|story\w*|silly|creative|witty)\b", re.I), 0.9),
)
_USUAL_TEMPERATURE = 0.7
_MAX_INTERESTS = 6
_MAX_TOPIC = 40  # characters; longer is a clause, not a topic


def name_in(sentence: str) -> str:
    """Return the name that a description gives the agent, or an empty string."""
    text = one_line(sentence, limit=MAX_SENTENCE)
    found = _NAMED.search(text) or _NAME_FIRST.match(text)
    if found is None or found["name"] in _ARTICLES:
        return ""
    name = found["name"].rstrip("'\u2019-")
    return name[0].upper() + name[1:]


def from_sentence(sentence: str) -> dict[str, object]:
    """Turn one sentence, such as "a gardener who loves roses", into a complete spec.

    The sentence itself becomes the heart of the instructions; interests, languages and
    temperature are read off it where it names them. The same sentence always gives the same
    spec. An empty sentence gives a friendly generalist.
    """
    text = one_line(sentence, limit=MAX_SENTENCE).strip(" .")
    who = _LEAD.sub("", text) or "a friendly regular of this room"
    interests = _topics(text)
    return {
        "instructions": _instructions(who, interests),
        "greeting": "",
        "interests": interests,
        "languages": _languages(text),
        "capabilities": list(CAPABILITIES),
        "model": {"temperature": _temperature(text), "max_tokens": 400},
        "template": "",
    }


def _instructions(who: str, interests: list[str]) -> str:
    lines = [
        f"This is who you are: {normalised(who)}.",
        "",
        "What you do",
        "- Stay this character in every message, without talking about being one.",
        "- Pick up what people say before you bring in something of your own.",
        "- Remember what people tell you about themselves, and come back to it when it fits.",
    ]
    if interests:
        lines.append(f"- You light up when talk turns to {_listed(interests)}.")
    return "\n".join([*lines, "", MANNERS])


def _topics(text: str) -> list[str]:
    found: dict[str, str] = {}
    for match in _ABOUT.finditer(text):
        for part in _TOPIC_BREAK.split(_TOPIC_END.sub("", match["topics"])):
            topic = re.sub(r"^(?:an?|the|all|her|his|their|its)\s+", "", part.strip(), flags=re.I)
            if 2 < len(topic) <= _MAX_TOPIC and topic.lower() not in _LANGUAGES:
                found.setdefault(topic.casefold(), topic)
    return list(found.values())[:_MAX_INTERESTS]


def _languages(text: str) -> list[str]:
    words = re.findall(r"\w+", text.casefold())
    named = dict.fromkeys(_LANGUAGES[word] for word in words if word in _LANGUAGES)
    return list(named) or ["en"]


def _temperature(text: str) -> float:
    return next((value for mood, value in _MOODS if mood.search(text)), _USUAL_TEMPERATURE)


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
