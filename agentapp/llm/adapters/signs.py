"""Recognises programs by what they answer without a key."""

from __future__ import annotations

import json

import httpcore2
import httpx2

from agentapp.llm.adapters import fields
from agentapp.llm.adapters.connection import new_client
from agentapp.llm.adapters.protocol import DeadlinePassed, Failure, Watch
from agentapp.llm.adapters.waiting import watched

_NOT_THERE = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpx2.HTTPError,
    DeadlinePassed,
    Failure,
    json.JSONDecodeError,
    UnicodeDecodeError,
)


def program_at(base_url: str, watch: Watch) -> str:
    """Return "Ollama", "vLLM" or "": what answers at an address. Never raises for what it does."""
    try:
        with new_client() as client, watched(watch):
            if fields.text(fields.field(_got(client, f"{_root(base_url)}/api/version"), "version")):
                return "Ollama"
            models = fields.field(_got(client, f"{base_url}/models"), "data")
    except _NOT_THERE:
        return ""
    rows = models if isinstance(models, list) else []
    return "vLLM" if any(fields.field(row, "owned_by") == "vllm" for row in rows) else ""


def _got(client: httpx2.Client, url: str) -> object:
    response = client.get(url)
    is_json = response.headers.get("content-type", "").startswith("application/json")
    return response.json() if response.status_code == 200 and is_json else None


def _root(base_url: str) -> str:
    return base_url.removesuffix("/v1")
