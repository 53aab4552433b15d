"""Which of a server's models answers people, and which one does the small work."""

from __future__ import annotations

from collections.abc import Sequence

# In the order in which they are taken: good at talking and quick at a price that a small daily
# budget carries; models that think at length before every sentence come late.
REPLY_MODELS = (
    "gpt-4.1",
    "gpt-5.6-terra",
    "gpt-5.4-mini",
    "gpt-5-mini",
    "gpt-4o",
    "claude-sonnet-5-5",
    "claude-sonnet-5.5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-sonnet-4.6",
    "claude-sonnet-4-5",
    "claude-sonnet-4.5",
    "gemini-3.7-flash",
    "gemini-3.6-flash",
    "gemini-2.5-flash",
    "gemini-3.5-flash",
    "mistral-large",
    "mistral-medium",
    "grok-4.6",
    "grok-4.5",
    "deepseek-flash",
    "deepseek-v4-flash",
    "deepseek-chat",
    "llama-3.3-70b-versatile",
    "gpt-oss-120b",
)
CHEAP_MODELS = (
    "gpt-4.1-mini",
    "gpt-5.6-luna",
    "gpt-4o-mini",
    "gpt-5.4-nano",
    "gpt-5-nano",
    "claude-haiku-5-5",
    "claude-haiku-5.5",
    "claude-haiku-4-5",
    "claude-haiku-4.5",
    "gemini-3.1-flash-lite",
    "gemini-2.5-flash-lite",
    "mistral-small",
    "ministral-8b",
    "deepseek-flash",
    "deepseek-v4-flash",
    "deepseek-chat",
    "llama-3.1-8b-instant",
    "gpt-oss-20b",
)
THINKING_TOKENS = 1500  # room for a model told to think little
_NOT_FOR_TALKING = (
    "embed", "rerank", "whisper", "tts", "dall-e", "image", "moderation", "guard", "audio",
    "realtime", "transcribe", "speech", "ocr", "sora", "veo", "imagen", "search", "babbage",
    "davinci", "codex", "minilm", "bge-", "vision-preview", "computer-use",
)  # fmt: skip


def picked_models(names: Sequence[str]) -> tuple[str, str]:
    """Return the reply model and the cheap model from a server's list.

    Unknown lists (one's own server) give the first model that can talk, for both.

    Returns:
        ("", "") when nothing in the list can talk.
    """
    talking = [name for name in names if can_talk(name)]
    if not talking:
        return "", ""
    reply = _first(REPLY_MODELS, talking) or _first(CHEAP_MODELS, talking) or _own(talking)
    cheap = _first(CHEAP_MODELS, talking) or reply
    return reply, cheap


def can_talk(name: str) -> bool:
    """Return whether a model's name sounds like one that answers in text."""
    lowered = name.lower()
    return not any(word in lowered for word in _NOT_FOR_TALKING)


def _first(wanted: Sequence[str], names: Sequence[str]) -> str:
    for want in wanted:
        found = [name for name in names if is_version_of(name, want)]
        if found:
            return min(found, key=len)
    return ""


def is_version_of(name: str, family: str) -> bool:
    """Return whether a name is a family's own, dated or `-latest` name, with any vendor before."""
    bare = name.rpartition("/")[2].lower()
    if bare == family:
        return True
    ending = bare.removeprefix(f"{family}-")
    return ending != bare and (ending == "latest" or ending.replace("-", "").isdigit())


def same_model(served: str, asked: str) -> bool:
    """Return whether the model that answered is the one that was asked, or a version of it."""
    bare = asked.rpartition("/")[2].lower()
    return is_version_of(served, bare) or is_version_of(asked, served.rpartition("/")[2].lower())


def _own(names: Sequence[str]) -> str:
    """Prefer what calls itself made for chat; otherwise the server's first."""
    for name in names:
        if "instruct" in name.lower() or "chat" in name.lower():
            return name
    return names[0]


def thinks_first(model: str) -> bool:
    """Return whether a model spends answer tokens on thinking unless told to think little."""
    bare = model.rpartition("/")[2].lower()
    return bare.startswith(("gpt-5", "gpt-6", "o1", "o3", "o4"))


def answer_allowance(model: str, max_tokens: int) -> int:
    """Return the tokens a request may use: thinking comes out of the same limit as the answer."""
    return max_tokens + THINKING_TOKENS if thinks_first(model) else max_tokens
