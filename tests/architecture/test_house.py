"""The tree keeps its promises: foreign keys follow the import order, every table has an owner."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from celery import current_app
from django.apps import apps
from django.db import models

from agentapp import tasks
from agentapp.config.schedule import TICKS
from agentapp.identity.policy import scope_of

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = [
    path
    for folder in ("agentapp", "bots", "dashboard")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]
TABLES = sorted(apps.get_app_config("agentapp").get_models(), key=lambda m: m.__name__)
FORBIDDEN = {"utils", "helpers", "common", "misc", "core", "manager", "base"}
ASYNC_BORDER = {"bots", "dashboard"}


def order() -> list[str]:
    """Slices from the top of the import order to its bottom."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    return [layer.removeprefix("agentapp.") for layer in layers if layer.startswith("agentapp.")]


def slice_of(model: type[models.Model]) -> str:
    return model.__module__.split(".")[1]


@pytest.mark.parametrize("model", TABLES, ids=lambda m: m.__name__)
def test_foreign_keys_point_down_the_import_order(model: type[models.Model]) -> None:
    rank = {name: n for n, name in enumerate(order())}
    for field in model._meta.get_fields():
        related = field.related_model
        if not field.concrete or not isinstance(related, type):
            continue
        if related.__module__.startswith("agentapp."):
            assert rank[slice_of(related)] >= rank[slice_of(model)], field.name


@pytest.mark.parametrize("model", TABLES, ids=lambda m: m.__name__)
def test_every_table_says_whose_it_is(model: type[models.Model]) -> None:
    path, anchor = scope_of(model)
    assert anchor is not None or path == "host"


@pytest.mark.parametrize("model", TABLES, ids=lambda m: m.__name__)
def test_tenant_tables_name_their_workspace(model: type[models.Model]) -> None:
    names = {field.name for field in model._meta.get_fields()}
    if "workspace" in names and model.__name__ != "SafetyState":
        assert not model._meta.get_field("workspace").null


def test_every_slice_stands_in_the_import_order() -> None:
    slices = {
        folder.name
        for folder in (ROOT / "agentapp").iterdir()
        if folder.is_dir() and (folder / "__init__.py").exists()
    }
    assert slices - {"config", "migrations"} == set(order())


def test_no_file_is_a_drawer() -> None:
    assert [path for path in PRODUCT if path.stem in FORBIDDEN] == []


def test_files_stay_readable() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in PRODUCT
        if (count := len(path.read_text().splitlines())) > 330
    }
    assert long == {}


def test_the_engine_is_synchronous() -> None:
    for path in PRODUCT:
        tree = ast.parse(path.read_text())
        is_async = any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(tree))
        inside = path.relative_to(ROOT).parts
        # The supervisor of processes is no part of the engine's work.
        if is_async and inside[:3] != ("agentapp", "management", "stack"):
            assert inside[0] in ASYNC_BORDER, path


def test_pages_and_api_write_only_through_services() -> None:
    writes = re.compile(r"\.objects\.(create|bulk_create|update_or_create|get_or_create)\(")
    own = {"idempotency.py"}  # keeps the API's own answers
    found = [
        path
        for path in PRODUCT
        if path.relative_to(ROOT).parts[0] in {"dashboard", "bots"}
        and path.name not in own
        and writes.search(path.read_text())
    ]
    assert found == []


def test_every_clock_hand_has_a_task_and_a_reason() -> None:
    assert tasks.__all__
    assert {tick.task for tick in TICKS} <= set(current_app.tasks)
    assert all(tick.reason and tick.seconds > 0 for tick in TICKS)


def test_the_project_speaks_of_itself_alone() -> None:
    words = re.compile(r"/work/|/tmp/team|\b[0-4]-\d{3}\b row|pypi\.org|registry\.npmjs")
    texts = [*PRODUCT, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile"]
    assert [path for path in texts if words.search(path.read_text())] == []
