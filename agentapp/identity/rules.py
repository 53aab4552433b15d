"""What an agent may be made of, and what names and scopes may look like."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agentapp.foundation.errors import Invalid
from agentapp.foundation.text import is_visible, normalised, one_line

CAPABILITIES = ("message", "post", "comment", "reaction")
SCOPES = ("read", "write", "approve", "admin")
THEMES = ("auto", "light", "dark")

MAX_INSTRUCTIONS = 8_000  # characters; a personality, not a book: it is paid for in every turn
MAX_GREETING = 500  # characters
MAX_ITEM = 60  # characters of one interest or language
MAX_ITEMS = 20
MAX_NAME = 60  # characters of an agent's or person's name
TEMPERATURE = (0.0, 2.0)
MAX_TOKENS = (16, 4_000)
DEFAULT_TEMPERATURE = 0.7
DEFAULT_MAX_TOKENS = 600

_KEYS = {
    "instructions",
    "greeting",
    "interests",
    "languages",
    "capabilities",
    "model",
    "template",
    "tools",
}


def checked_spec(spec: Mapping[str, object]) -> dict[str, object]:
    """Return a blueprint's text in its one normal form.

    Args:
        spec: `instructions` is required; `greeting`, `interests`, `languages`, `capabilities`,
            `model` (temperature, max_tokens), `template` and `tools` are optional. Without `tools`
            all of them are granted; an empty list grants none.

    Raises:
        Invalid: A key is unknown, of the wrong type, or out of range.
    """
    unknown = sorted(set(spec) - _KEYS)
    if unknown:
        raise Invalid(f"A personality has no field {unknown[0]!r}.")
    instructions = _text(spec, "instructions", MAX_INSTRUCTIONS)
    if not instructions:
        raise Invalid("Say in a sentence or more who this agent is and how it talks.")
    granted = {} if spec.get("tools") is None else {"tools": _items(spec, "tools")}
    return {
        "instructions": instructions,
        "greeting": _text(spec, "greeting", MAX_GREETING),
        "interests": _items(spec, "interests"),
        "languages": _items(spec, "languages"),
        "capabilities": _capabilities(spec.get("capabilities")),
        "model": _model(spec.get("model")),
        "template": one_line(_text(spec, "template", 40), limit=40),
        **granted,
    }


def spec_hash(spec: Mapping[str, object]) -> str:
    """Return the fingerprint by which two blueprint texts count as the same."""
    canonical = json.dumps(spec, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def checked_name(name: str, *, limit: int = MAX_NAME) -> str:
    """Return a name on one line, or raise `Invalid` when nothing readable is left of it."""
    clean = one_line(name, limit=limit)
    if not is_visible(clean):
        raise Invalid("Give a name.")
    return clean


def checked_scopes(scopes: Iterable[str]) -> list[str]:
    """Return a token's scopes in their fixed order; none or an unknown one is `Invalid`."""
    wanted = set(scopes)
    unknown = sorted(wanted - set(SCOPES))
    if unknown:
        raise Invalid(f"There is no scope {unknown[0]!r}; use {', '.join(SCOPES)}.")
    if not wanted:
        raise Invalid("Choose at least one scope.")
    return [scope for scope in SCOPES if scope in wanted]


def checked_timezone(name: str) -> str:
    """Return the name of a time zone that this machine knows."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(f"{one_line(name)!r} is not a time zone, such as Europe/Paris.") from error


def _text(spec: Mapping[str, object], key: str, limit: int) -> str:
    value = spec.get(key, "")
    if not isinstance(value, str):
        raise Invalid(f"{key} must be text.")
    clean = normalised(value, limit=limit + 1)
    if len(clean) > limit:
        raise Invalid(f"{key} is longer than {limit:,} characters.")
    return clean


def _items(spec: Mapping[str, object], key: str) -> list[str]:
    value = spec.get(key, [])
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise Invalid(f"{key} must be a list of words.")
    items = [one_line(item, limit=MAX_ITEM) for item in value]
    items = list(dict.fromkeys(item for item in items if item))
    if len(items) > MAX_ITEMS:
        raise Invalid(f"{key} may hold at most {MAX_ITEMS} entries.")
    return items


def _capabilities(value: object) -> list[str]:
    if value is None:
        return list(CAPABILITIES)
    if not isinstance(value, (list, tuple)):
        raise Invalid("capabilities must be a list.")
    unknown = [item for item in value if item not in CAPABILITIES]
    if unknown:
        raise Invalid(f"There is no capability {unknown[0]!r}; use {', '.join(CAPABILITIES)}.")
    return [item for item in CAPABILITIES if item in value]


def _model(value: object) -> dict[str, object]:
    if value is None:
        value = {}
    if not isinstance(value, Mapping):
        raise Invalid("model must hold temperature and max_tokens.")
    unknown = sorted(set(value) - {"temperature", "max_tokens"})
    if unknown:
        raise Invalid(f"model has no field {unknown[0]!r}.")
    temperature = _number(value.get("temperature", DEFAULT_TEMPERATURE), "temperature", TEMPERATURE)
    max_tokens = _number(value.get("max_tokens", DEFAULT_MAX_TOKENS), "max_tokens", MAX_TOKENS)
    return {"temperature": round(temperature, 2), "max_tokens": int(max_tokens)}


def _number(value: object, name: str, span: tuple[float, float]) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Invalid(f"{name} must be a number.")
    lowest, highest = span
    if not lowest <= value <= highest:
        raise Invalid(f"{name} must lie between {lowest:g} and {highest:g}.")
    return float(value)
