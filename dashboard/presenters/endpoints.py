"""The API's endpoints as people read them, taken from the API's own description.

The lines to try use two variables of the shell, GREENROOM and TOKEN; words in capitals are for
the reader to fill in.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from dashboard.api.urls import api

Schema = Mapping[str, Any]

_KINDS = {
    "string": "text",
    "integer": "number",
    "number": "number",
    "boolean": "yes or no",
    "object": "JSON object",
    "null": "null",
}
# A schema cannot say that one of several fields is needed; the shortest is shown.
_SHOWN_TOO = {("post", "/agents"): {"sentence"}}


@dataclass(frozen=True, slots=True)
class FieldShown:
    """A parameter or a field: its name on the wire, what it holds, its limits."""

    name: str
    kind: str
    limits: str
    is_required: bool
    example: str


@dataclass(frozen=True, slots=True)
class StatusShown:
    """An answer that works: its status and what it brings."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class EndpointShown:
    """One thing to ask of the API."""

    anchor: str
    method: str
    path: str
    words: str
    parameters: tuple[FieldShown, ...]
    body: tuple[FieldShown, ...]
    body_words: str
    answer: tuple[FieldShown, ...]
    statuses: tuple[StatusShown, ...]
    curl: str

    @property
    def is_change(self) -> bool:
        """Whether it does more than read."""
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class SubjectShown:
    """The endpoints about one subject."""

    name: str
    endpoints: tuple[EndpointShown, ...]


@cache
def show_subjects() -> tuple[SubjectShown, ...]:
    """Return all endpoints under their subjects. Worked out once per process; asks no database."""
    described: Schema = api.get_openapi_schema(path_prefix="")
    schemas = described["components"]["schemas"]
    subjects: dict[str, list[EndpointShown]] = defaultdict(list)
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            shown = show_endpoint(method, path, _whole(operation, schemas))
            subjects[operation["tags"][0]].append(shown)
    return tuple(SubjectShown(name, tuple(found)) for name, found in subjects.items())


def show_endpoint(method: str, path: str, operation: Schema) -> EndpointShown:
    """Show one operation of an OpenAPI description, its references already filled in."""
    asked = _content(operation.get("requestBody", {}))
    answers = {code: _content(answer) for code, answer in operation["responses"].items()}
    body = tuple(_fields(asked))
    return EndpointShown(
        anchor=re.sub(r"[^a-z0-9]+", "-", f"{method}{path}".lower()).strip("-"),
        method=method.upper(),
        path=path,
        words=operation["description"],
        parameters=tuple(
            _field(one["name"], one["schema"], is_required=one["required"])
            for one in operation.get("parameters", [])
        ),
        body=body,
        body_words=asked.get("description", ""),
        answer=tuple(field for answer in answers.values() for field in _fields(answer)),
        statuses=tuple(
            StatusShown(str(code), answer.get("description", "Nothing more."))
            for code, answer in answers.items()
        ),
        curl=_curl(method, path, body),
    )


def _whole(part: Any, schemas: Schema) -> Any:  # noqa: ANN401  (any part of a JSON document)
    """Return a part of the description with the schemas it refers to in their places."""
    if isinstance(part, list):
        return [_whole(each, schemas) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _whole(schemas[part["$ref"].rpartition("/")[2]], schemas)
    return {key: _whole(value, schemas) for key, value in part.items()}


def _content(message: Schema) -> Schema:
    schema: Schema = message.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _fields(schema: Schema, prefix: str = "") -> Iterator[FieldShown]:
    """Yield a shape's fields; those of a shape within it under its name: `items[].id`."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        inner = field.get("items", field)
        if "properties" in inner:
            mark = "." if inner is field else "[]."
            yield from _fields(inner, f"{prefix}{name}{mark}")
        else:
            yield _field(f"{prefix}{name}", field, is_required=name in required)


def _field(name: str, schema: Schema, *, is_required: bool) -> FieldShown:
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    kind = " or ".join(_kind(one) for one in options)
    if is_required and len(options) < len(schema.get("anyOf", [])):
        kind += " or null"
    limits = ", ".join(_limits({**schema, **options[0]}))
    return FieldShown(name, kind, limits, is_required, _example(name, options[0]))


def _kind(schema: Schema) -> str:
    if choices := schema.get("enum"):
        return f"one of {', '.join(map(str, choices))}"
    if schema.get("format") == "date-time":
        return "time"
    if schema.get("type") == "array":
        inner = schema.get("items")
        return f"list of {_kind(inner)}s" if inner else "list"
    return _KINDS.get(schema.get("type", ""), "anything")


def _limits(schema: Schema) -> Iterator[str]:
    if longest := schema.get("maxLength"):
        yield f"at most {longest:,} characters"
    if "minimum" in schema and "maximum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}"
    if "minItems" in schema and "maxItems" in schema:
        yield f"{schema['minItems']} to {schema['maxItems']} of them"
    if schema.get("default"):
        yield f"{schema['default']} if left out"


def _example(name: str, schema: Schema) -> str:
    """Return JSON to fill in: `"NAME"`, `ROOM_ID`; a choice is its first value."""
    word = _capitals(name)
    kind = _kind(schema)
    if choices := schema.get("enum"):
        return f'"{choices[0]}"'
    if kind.startswith("list"):
        return f"[{word}]"
    if kind in {"text", "time"}:
        return f'"{word}"'
    return {"yes or no": "true", "JSON object": "{}"}.get(kind, word)


def _capitals(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def _curl(method: str, path: str, body: tuple[FieldShown, ...]) -> str:
    address = re.sub(r"\{(\w+)\}", lambda found: _capitals(found[1]), path)
    parts = ["curl", f'"$GREENROOM{address}"', '-H "Authorization: Bearer $TOKEN"']
    if method != "get":
        parts.insert(1, f"-X {method.upper()}")
    if body:
        parts.append(f"--json '{_sample(method, path, body)}'")
    return " ".join(parts)


def _sample(method: str, path: str, body: tuple[FieldShown, ...]) -> str:
    """Return the smallest body that makes sense; of a patch, which needs nothing, one field."""
    shown_too = _SHOWN_TOO.get((method, path), set())
    chosen = [field for field in body if field.is_required or field.name in shown_too]
    if not chosen and method == "patch":
        chosen = [body[0]]
    return "{" + ", ".join(f'"{field.name}": {field.example}' for field in chosen) + "}"
