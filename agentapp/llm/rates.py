"""Prices of common models. One line per model family, dated, with where the price was read.

A pattern ending in `*` stands for every name that begins so; the longest that fits wins. Where a
server charges more at some hours or for very long prompts, the dearer ordinary price is listed;
families end in a cautious pattern for members that are not listed yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from agentapp.foundation.units import MICROS_PER_USD

UNKNOWN = "*"


@dataclass(frozen=True, slots=True)
class ListedRate:
    """A price in micro-dollars per million tokens."""

    model: str
    effective_from: date
    input_micros: int
    output_micros: int
    cached_micros: int
    source: str


_READ = date(2026, 9, 1)  # in force since then at the latest, read in November 2026
_EVER = date(2020, 1, 1)
_OPENAI = "developers.openai.com/api/docs/pricing, read 2026-11"
_ANTHROPIC = "platform.claude.com/docs/en/about-claude/pricing, read 2026-11"
_GOOGLE = "ai.google.dev/gemini-api/docs/pricing, read 2026-11"
_MISTRAL = "mistral.ai/pricing, read 2026-11"
_DEEPSEEK = "api-docs.deepseek.com/quick_start/pricing (peak hours), read 2026-11"
_XAI = "docs.x.ai/developers/models, read 2026-11"
_GROQ = "groq.com/pricing, read 2026-11"
_CAUTIOUS = "not listed: a cautious guess"

# pattern, input, output, cached input: dollars per million tokens
_BY_SOURCE: dict[str, tuple[tuple[str, float, float, float], ...]] = {
    _OPENAI: (
        ("gpt-5.6-luna*", 0.20, 1.20, 0.02),
        ("gpt-5.6-terra*", 2.00, 12.00, 0.20),
        ("gpt-5.6-sol*", 5.00, 30.00, 0.50),
        ("gpt-5.5-pro*", 30.00, 180.00, 30.00),
        ("gpt-5.5*", 5.00, 30.00, 0.50),
        ("gpt-5.4-pro*", 30.00, 180.00, 30.00),
        ("gpt-5.4-mini*", 0.75, 4.50, 0.075),
        ("gpt-5.4-nano*", 0.20, 1.25, 0.02),
        ("gpt-5.4*", 2.50, 15.00, 0.25),
        ("gpt-5.2*", 1.75, 14.00, 0.175),
        ("gpt-5.1*", 1.25, 10.00, 0.125),
        ("gpt-5-mini*", 0.25, 2.00, 0.025),
        ("gpt-5-nano*", 0.05, 0.40, 0.005),
        ("gpt-5-pro*", 15.00, 120.00, 15.00),
        ("gpt-5", 1.25, 10.00, 0.125),
        ("gpt-5-2025*", 1.25, 10.00, 0.125),
        ("gpt-4.1-nano*", 0.10, 0.40, 0.025),
        ("gpt-4.1-mini*", 0.40, 1.60, 0.10),
        ("gpt-4.1*", 2.00, 8.00, 0.50),
        ("gpt-4o-mini*", 0.15, 0.60, 0.075),
        ("gpt-4o*", 2.50, 10.00, 1.25),
        ("gpt-4-turbo*", 10.00, 30.00, 10.00),
        ("o1*", 15.00, 60.00, 7.50),
        ("o4-mini*", 1.10, 4.40, 0.275),
        ("o3-mini*", 1.10, 4.40, 0.55),
        ("o3*", 2.00, 8.00, 0.50),
        ("text-embedding-3-small*", 0.02, 0.00, 0.02),
        ("text-embedding-3-large*", 0.13, 0.00, 0.13),
    ),
    _ANTHROPIC: (
        ("claude-fable-5*", 10.00, 50.00, 1.00),
        ("claude-opus-5*", 5.00, 25.00, 0.50),
        ("claude-opus-4-5*", 5.00, 25.00, 0.50),
        ("claude-opus-4-6*", 5.00, 25.00, 0.50),
        ("claude-opus-4-7*", 5.00, 25.00, 0.50),
        ("claude-opus-4-8*", 5.00, 25.00, 0.50),
        ("claude-opus*", 15.00, 75.00, 1.50),
        ("claude-sonnet-5*", 2.00, 10.00, 0.20),
        ("claude-sonnet*", 3.00, 15.00, 0.30),
        ("claude-haiku-5*", 0.50, 2.50, 0.05),
        ("claude-haiku*", 1.00, 5.00, 0.10),
    ),
    _GOOGLE: (
        ("gemini-3.7-flash*", 1.50, 7.50, 0.15),
        ("gemini-3.6-flash*", 1.50, 7.50, 0.15),
        ("gemini-3.5-flash*", 1.50, 9.00, 0.15),
        ("gemini-3.1-pro*", 2.00, 12.00, 0.20),
        ("gemini-3.1-flash-lite*", 0.25, 1.50, 0.025),
        ("gemini-3-flash*", 0.50, 3.00, 0.05),
        ("gemini-2.5-pro*", 1.25, 10.00, 0.125),
        ("gemini-2.5-flash-lite*", 0.10, 0.40, 0.025),
        ("gemini-2.5-flash*", 0.30, 2.50, 0.075),
    ),
    _MISTRAL: (
        ("mistral-large*", 2.00, 6.00, 2.00),
        ("mistral-medium*", 1.00, 3.00, 1.00),
        ("mistral-small*", 0.20, 0.60, 0.20),
        ("ministral-8b*", 0.10, 0.10, 0.10),
    ),
    _DEEPSEEK: (
        ("deepseek-v4-pro*", 1.32, 3.96, 0.044),
        ("deepseek-reasoner*", 1.32, 3.96, 0.044),
        ("deepseek-v4-flash*", 0.30, 1.20, 0.006),
        ("deepseek-flash*", 0.30, 1.20, 0.006),
        ("deepseek-chat*", 0.30, 1.20, 0.006),
    ),
    _XAI: (("grok-4*", 2.00, 6.00, 0.50),),
    _GROQ: (
        ("llama-3.3-70b*", 0.59, 0.79, 0.59),
        ("llama-3.1-8b*", 0.05, 0.08, 0.05),
        ("gpt-oss-120b*", 0.15, 0.60, 0.15),
        ("gpt-oss-20b*", 0.075, 0.30, 0.075),
    ),
    _CAUTIOUS: (
        ("gpt-5*", 5.00, 30.00, 5.00),
        ("gpt-4*", 30.00, 60.00, 30.00),
        ("gemini-*", 4.00, 18.00, 4.00),
    ),
}


def _micros(dollars: float) -> int:
    return round(dollars * MICROS_PER_USD)


def listed_rates() -> list[ListedRate]:
    """Return the whole table, the price of unknown models included."""
    rows = [
        ListedRate(model, _READ, _micros(tokens_in), _micros(out), _micros(cached), source)
        for source, models in _BY_SOURCE.items()
        for model, tokens_in, out, cached in models
    ]
    # Dearer than nearly everything that is sold, so that an unlisted model never costs more than
    # its budget says.
    unknown = ListedRate(
        UNKNOWN, _EVER, _micros(10), _micros(50), _micros(10), "price unknown: counted high"
    )
    return [*rows, unknown]
