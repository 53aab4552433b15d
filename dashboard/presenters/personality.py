"""What an agent is made of, as templates to choose from and as fields to edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentapp.identity.models import Agent
from agentapp.identity.rules import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from agentapp.identity.templates import TEMPLATES
from dashboard.presenters.faces import HUE_STEP, Face


@dataclass(frozen=True, slots=True)
class TemplateShown:
    """One agent to start from."""

    code: str
    title: str
    about: str
    face: Face


def offered_templates() -> list[TemplateShown]:
    """Return the templates, each with a face of its own."""
    return [
        TemplateShown(
            code=one.code,
            title=one.title,
            about=one.summary,
            face=Face(name=one.name, seed=f"template {one.code}", hue=place * HUE_STEP + 1),
        )
        for place, one in enumerate(TEMPLATES)
    ]


def as_fields(agent: Agent) -> dict[str, object]:
    """Return what the form for an agent starts with."""
    spec = agent.version.spec
    model = spec.get("model") or {}
    return {
        "name": agent.name,
        "instructions": spec.get("instructions", ""),
        "interests": ", ".join(spec.get("interests") or []),
        "temperature": model.get("temperature", DEFAULT_TEMPERATURE),
        "max_tokens": model.get("max_tokens", DEFAULT_MAX_TOKENS),
    }


def as_spec(agent: Agent, fields: Mapping[str, Any]) -> dict[str, object]:
    """Return an agent's whole spec with what the form changed; the rest stays as it was."""
    spec = agent.version.spec
    return {
        **spec,
        "instructions": fields["instructions"],
        "interests": [part for part in fields["interests"].split(",") if part.strip()],
        "model": {
            **(spec.get("model") or {}),
            "temperature": fields["temperature"],
            "max_tokens": fields["max_tokens"],
        },
    }
