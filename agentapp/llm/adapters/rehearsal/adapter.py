"""Streams a rehearsed answer the way a model server streams a real one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentapp.llm.adapters.protocol import Chunk, Request, Usage
from agentapp.llm.adapters.rehearsal.answering import answer
from agentapp.llm.adapters.rehearsal.reading import read

MODEL = "rehearsal"
THINKING_SECONDS = 0.4
CHUNK_SECONDS = 0.05
CHUNK_WORDS = 3
CHARACTERS_PER_TOKEN = 4

_WORDS = re.compile(rf"(?:\s*\S+){{1,{CHUNK_WORDS}}}")


class RehearsalAdapter:
    """The adapter of kind `rehearsal`. It reads the request and nothing else, and costs nothing."""

    def stream(self, request: Request) -> Iterator[Chunk]:
        """Yield one answer in small pieces; the same request gives the same answer.

        Raises:
            DeadlinePassed: `request.watch` says the time is up.
            StopAsked: `request.watch` says to stop.
        """
        whole = answer(read(request.messages))
        text = whole[: request.max_tokens * CHARACTERS_PER_TOKEN]
        request.watch.sleep(THINKING_SECONDS)
        for piece in _WORDS.findall(text):
            yield Chunk(text=piece, model=MODEL)
            request.watch.sleep(CHUNK_SECONDS)
        yield Chunk(
            finish_reason="stop" if text == whole else "length",
            model=MODEL,
            usage=Usage(
                tokens_in=sum(_tokens(part.content) for part in request.messages),
                tokens_out=_tokens(text),
            ),
        )


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)
