"""Which models are known to read pictures, and what a picture may cost in tokens."""

from __future__ import annotations

MOST_TOKENS = 26_000  # of one picture, by the dearest counting that is known
LIKELY_TOKENS = 1_000

# Beginnings of names, without the folder that some servers put before them.
_READERS = (
    *("gpt-4o", "gpt-4.1", "gpt-4-turbo", "gpt-5", "chatgpt-4o", "o3", "o4-mini"),
    *("claude-3", "claude-sonnet", "claude-opus", "claude-haiku", "gemini-", "grok-4"),
    *("pixtral", "mistral-small-3", "mistral-small3", "mistral-medium-3", "llama-4", "llama4"),
    *("llava", "bakllava", "llama3.2-vision", "llama-3.2-11b-vision", "llama-3.2-90b-vision"),
    *("gemma3", "gemma-3", "qwen2-vl", "qwen2.5-vl", "qwen2.5vl", "qwen3-vl", "qwen-vl"),
    *("minicpm-v", "moondream", "internvl", "phi-4-multimodal", "granite3.2-vision"),
)
_NOT_READERS = ("gpt-5-codex", "gemma3:270m", "gemma3:1b", "gemma-3-1b", "gemma-3-270m")


def is_known_to_read(model: str) -> bool:
    """Say whether a model of this name reads pictures wherever it runs."""
    bare = model.lower().rsplit("/", 1)[-1]
    return bare.startswith(_READERS) and not bare.startswith(_NOT_READERS)
