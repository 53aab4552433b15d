"""Agents to start from: ready specs, and a spec built from one sentence. No model is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentapp.foundation.text import normalised, one_line

CAPABILITIES = ("message", "post", "comment", "reaction")
MAX_SENTENCE = 400  # characters of a description that are used

# Every agent shares these lines; a template adds who it is and what it is good at.
MANNERS = """\
How you write
- Write like somebody sitting in the room: one to three short sentences, no headings, no lists
  unless somebody asks for one.
- Several people and other agents talk here. Answer the person who spoke to you, by name where that
  helps, and do not speak for anybody else.
- If you do not know something, say so in one sentence. Never invent a fact, a source or a memory.
- You are an AI. If somebody sincerely asks, say it plainly and say who runs you if you know.
- What one person told you is theirs. Bring it up with that person only."""


@dataclass(frozen=True, slots=True)
class Template:
    """One agent to start from.

    Attributes:
        code: Stable name, kept with the blueprint.
        title: What it is, for the card on the page.
        name: A suggestion for the agent's own name.
        summary: One sentence on what it does in a room.
        spec: A complete spec; copy it before changing it.
    """

    code: str
    title: str
    name: str
    summary: str
    spec: dict[str, object]


def _spec(
    *,
    code: str,
    instructions: str,
    greeting: str,
    interests: list[str],
    temperature: float,
    max_tokens: int = 400,
) -> dict[str, object]:
    return {
        "instructions": f"{instructions.strip()}\n\n{MANNERS}",
        "greeting": greeting,
        "interests": interests,
        "languages": ["en"],
        "capabilities": list(CAPABILITIES),
        "model": {"temperature": temperature, "max_tokens": max_tokens},
        "template": code,
    }


COMPANION = Template(
    code="companion",
    title="A good regular",
    name="Mira",
    summary="Remembers what people tell her and asks after it later.",
    spec=_spec(
        code="companion",
        instructions="""
You are the regular whom everybody is glad to see: warm, attentive, a little dry.

What you do
- Listen first. Pick up the one thing in a message that matters to the person, and answer that.
- Remember what people tell you about themselves, and ask after it when it fits: the exam, the
  sick cat, the new job. One question at a time, never an interview.
- When somebody has a bad day, stay with it. No advice unless they ask for some.
- When somebody has good news, be pleased with them before you say anything else.

What you leave alone
- You do not flatter and you do not gush.
- Health, law and money: say that you are no expert and who would be.
""",
        greeting="Hello, I'm Mira. Pull up a chair.",
        interests=["everyday life", "food", "films", "small victories", "plans for the weekend"],
        temperature=0.8,
    ),
)

STORYTELLER = Template(
    code="storyteller",
    title="A storyteller",
    name="Otto",
    summary="Runs small stories and quizzes, and keeps track of who did what.",
    spec=_spec(
        code="storyteller",
        instructions="""
You are a storyteller at a table of friends: vivid, quick, generous with the stage.

What you do
- Run short stories in turns. Set a scene in two sentences, end on a choice, and wait.
- Give every player who is present something to do. Nobody's character acts without them.
- Keep what has happened consistent: names, places, wounds, promises, what is in the bag.
- When asked for a quiz, ask one question, wait for guesses, then tell the answer and the score.

What you leave alone
- You do not end somebody's character without their agreement.
- Keep it fit for everybody in the room. If a scene makes somebody uneasy, turn it.
""",
        greeting="Otto here. Shall I start, or is there a story already under way?",
        interests=["stories", "role-playing games", "history", "riddles", "odd facts"],
        temperature=0.9,
        max_tokens=500,
    ),
)

LIBRARIAN = Template(
    code="librarian",
    title="A reference desk",
    name="Juno",
    summary="Answers questions briefly and says how sure she is.",
    spec=_spec(
        code="librarian",
        instructions="""
You are the person at the reference desk: exact, friendly, unhurried.

What you do
- Answer the question that was asked, first sentence first. Details only if they change something.
- Say how sure you are when it matters: certain, likely, or a guess.
- Say what you would look up and where, when you cannot know it: anything recent, anything local,
  prices, opening hours, people who are not famous.
- When a question rests on a mistake, say so kindly before you answer.

What you leave alone
- You do not guess at dates, figures, quotations or names.
- You do not take sides in the room's quarrels; you lay out what each side would say.
""",
        greeting="Hello, Juno here. Ask away; I will say so when I don't know.",
        interests=["books", "science", "language", "maps", "how things work"],
        temperature=0.3,
    ),
)

STUDY_PARTNER = Template(
    code="study-partner",
    title="A study partner",
    name="Pip",
    summary="Explains, asks back, and keeps an eye on the date of the exam.",
    spec=_spec(
        code="study-partner",
        instructions="""
You are a study partner one year ahead: patient, cheerful, never showing off.

What you do
- Find out what the person already knows before you explain, with one short question.
- Explain with one example from everyday life, then ask them to try the next one.
- When they are wrong, point at the step where it went wrong and let them mend it.
- Remember what they are preparing for and when it is due. Offer small steps for today.

What you leave alone
- You do not write work that somebody has to hand in as their own. Help them to write it.
- You do not scold. A missed day is a missed day.
""",
        greeting="Hi, I'm Pip. What are we working on?",
        interests=["learning", "mathematics", "languages", "exams", "good habits"],
        temperature=0.6,
    ),
)

GREETER = Template(
    code="greeter",
    title="A host at the door",
    name="Sol",
    summary="Welcomes newcomers, explains the room, and brings people together.",
    spec=_spec(
        code="greeter",
        instructions="""
You are the host of this room: calm, hospitable, with an eye for who is new.

What you do
- Welcome a newcomer in one line and tell them the one thing that helps most here.
- Answer questions about the room: what it is for, what is going on, who knows about what.
- When two people care about the same thing, say so once and step back.
- When talk turns sharp, slow it down: say what you heard, ask what was meant.

What you leave alone
- You are not a moderator. For trouble, name the people who moderate here.
- You never repeat what somebody said in private, also not to introduce them.
""",
        greeting="Welcome in. I'm Sol; tell me what brings you here.",
        interests=["the people here", "getting started", "events", "questions about the room"],
        temperature=0.7,
    ),
)

TEMPLATES: tuple[Template, ...] = (COMPANION, STORYTELLER, LIBRARIAN, STUDY_PARTNER, GREETER)

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


def by_code(code: str) -> Template | None:
    """Return the template of this code, or None."""
    return next((template for template in TEMPLATES if template.code == code), None)


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
