"""A process that asks what it is told on its input, all at once, and says how each ended.

One JSON object per line goes in, one comes out:

    {"workspace": 1, "keys": ["a", "b"], "deadline": 10}  ->  {"a": "answered", "b": "left alone"}
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentapp.config.settings")
    import django  # noqa: PLC0415  (settings are named first)

    django.setup()
    from agentapp.llm import gateway  # noqa: PLC0415  (models load after set-up)
    from agentapp.llm.adapters import adapter_for  # noqa: PLC0415
    from agentapp.llm.circuit import LeftAlone  # noqa: PLC0415
    from tests.fakes.connecting import in_threads  # noqa: PLC0415

    adapter_for("openai")

    def ended(workspace: int, key: str, deadline: float) -> str:
        try:
            gateway.ask(
                workspace_id=workspace,
                purpose="reply",
                messages=[gateway.ChatMessage(gateway.Role.USER, "How are you today?")],
                key=key,
                max_tokens=50,
                deadline_seconds=deadline,
            )
        except LeftAlone:
            return "left alone"
        except gateway.ProviderUnavailable:
            return "failed"
        return "answered"

    def told(workspace: int, keys: list[str], deadline: float) -> dict[str, str]:
        ends = in_threads(len(keys), lambda number: ended(workspace, keys[number], deadline))
        return {key: str(end) for key, end in zip(keys, ends, strict=True)}

    print("ready", flush=True)  # noqa: T201  (the other end of the pipe waits for it)
    for line in sys.stdin:
        print(json.dumps(told(**json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
