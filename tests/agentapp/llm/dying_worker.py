"""A worker process that asks one question and is expected to be killed while it waits."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentapp.config.settings")
    import django  # noqa: PLC0415  (settings are named first)

    django.setup()
    from agentapp.llm import gateway  # noqa: PLC0415  (models load after set-up)

    gateway.ask(
        workspace_id=int(sys.argv[1]),
        purpose="reply",
        messages=[gateway.ChatMessage(gateway.Role.USER, "How are you today?")],
        key=sys.argv[2],
        max_tokens=50,
        deadline_seconds=float(sys.argv[3]),
    )


if __name__ == "__main__":
    main()
