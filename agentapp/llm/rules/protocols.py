"""Which protocol a model server speaks, as far as its address tells."""

from __future__ import annotations

from urllib.parse import urlsplit

OPENAI, ANTHROPIC = "openai", "anthropic"
_ANTHROPIC_HOST = "anthropic.com"
_ANTHROPIC_KEY = "sk-ant-"
_OTHER_SELLERS = ("openai.com", "deepseek.com", "mistral.ai", "groq.com", "x.ai", "googleapis.com")


def protocol_of(base_url: str) -> str:
    """Return the protocol that is spoken at an address.

    Some servers speak both, each at a path of its own: one that is called `anthropic` says so.
    """
    parts = urlsplit(base_url)
    if _is_at(parts.hostname or "", _ANTHROPIC_HOST) or "anthropic" in parts.path.split("/"):
        return ANTHROPIC
    return OPENAI


def is_of_somebody_else(key: str, *, base_url: str) -> bool:
    """Return whether a key of one seller is about to be sent to another one."""
    host = urlsplit(base_url).hostname or ""
    return key.strip().startswith(_ANTHROPIC_KEY) and any(
        _is_at(host, seller) for seller in _OTHER_SELLERS
    )


def _is_at(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
