"""The API under /api/v1; its description is at /api/v1/openapi.json."""

from __future__ import annotations

from ninja import NinjaAPI

from dashboard.api import agents, drafts, people, problems, rooms, turns
from dashboard.api.callers import SessionCaller, TokenCaller

api = NinjaAPI(
    title="Greenroom",
    version="1",
    description="Agents, rooms, messages, decisions and drafts of a Greenroom host.",
    docs_url=None,
    auth=[TokenCaller(), SessionCaller()],
    urls_namespace="api",
)
for module in (agents, people, rooms, turns, drafts):
    api.add_router("", module.router)
problems.install(api)
