"""Discord's own description of its REST API as the judge of requests and of the fake's answers.

The document is OpenAPI 3.1 and not part of this project: DISCORD_OPENAPI says where it lies.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.fakes.discord.api import Seen

VARIABLE = "DISCORD_OPENAPI"
JSON = "application/json"
# Discord takes numbers for ids as well as the strings that the document asks for.
_ID = re.compile(r"(?:^|_)ids?$|^users$|^roles$")


@dataclass(frozen=True)
class Operation:
    """One method on one path, and what goes in and out."""

    method: str
    template: str
    pattern: re.Pattern[str]
    told: dict[str, Any]


class Contract:
    """The document, with a validator for each part of it that was asked for."""

    def __init__(self, path: Path) -> None:
        self._document = json.loads(path.read_text())
        self._validators: dict[str, Draft202012Validator] = {}
        self._operations = [
            Operation(method.upper(), template, _pattern(template), told)
            for template, methods in self._document["paths"].items()
            for method, told in methods.items()
            if method != "parameters"
        ]

    def operation(self, seen: Seen) -> Operation | None:
        """Return what a request asks for; templates with fixed words win."""
        method = seen.route.split(" ")[0]
        fitting = [
            one
            for one in self._operations
            if one.method == method and one.pattern.fullmatch(seen.path)
        ]
        return min(fitting, key=lambda one: one.template.count("{"), default=None)

    def wrong_with(self, seen: Seen) -> list[str]:
        """Return what is wrong with a request; nothing when the document allows it."""
        operation = self.operation(seen)
        if operation is None:
            return [f"{seen.route}: there is no such operation"]
        wanted = operation.told.get("requestBody")
        if seen.body is None:
            missing = wanted and wanted.get("required") and not seen.uploads
            return [f"{seen.route}: the body is missing"] if missing else []
        if wanted is None:
            return [f"{seen.route}: there should be no body"]
        schema = wanted["content"][JSON]["schema"]
        return self._check(f"{seen.route} in", schema, as_written(seen.body))

    def wrong_with_answer(self, seen: Seen) -> list[str]:
        """Return what is wrong with the fake's own answer to a request."""
        operation = self.operation(seen)
        told = operation.told["responses"].get(str(seen.status)) if operation else None
        if told is None:
            return [f"{seen.route}: nobody answers {seen.status}"]
        content = told.get("content")
        if content is None:
            return [] if seen.status == 204 else [f"{seen.route}: there should be no answer"]
        return self._check(f"{seen.route} out", content[JSON]["schema"], seen.answer)

    def _check(self, name: str, schema: dict[str, Any], body: Any) -> list[str]:
        if name not in self._validators:
            whole = schema | {"components": self._document["components"]}
            self._validators[name] = Draft202012Validator(whole)
        return [
            f"{name}: {error.json_path}: {error.message[:300]}"
            for error in self._validators[name].iter_errors(body)
        ]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", template))


def as_written(body: Any, name: str = "") -> Any:
    """Return a body with its ids as strings."""
    if isinstance(body, dict):
        return {key: as_written(value, key) for key, value in body.items()}
    if isinstance(body, list):
        return [as_written(one, name) for one in body]
    is_number = isinstance(body, int) and not isinstance(body, bool)
    return str(body) if is_number and _ID.search(name) else body


@cache
def contract() -> Contract | None:
    """Return the document, read once; None when nobody said where it lies."""
    path = os.environ.get(VARIABLE)
    return Contract(Path(path)) if path else None
