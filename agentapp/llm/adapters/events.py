"""An answer that comes as server-sent events, read without an object for each of its pieces.

An SDK spends most of a short answer's processor time on its own request, on its response and on
their headers. Its errors are used all the same, so that every way of asking fails alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import httpcore2
import httpx2
import openai

from agentapp.llm.adapters.connection import BoundedBody, Transport, raw_url

_DONE = "[DONE]"
_LINE_ENDS = (b"\n", b"\r")


class Events:
    """A server's answer to one question: objects, one after the other.

    Raises:
        openai.APIStatusError: The server refused.
    """

    def __init__(
        self, transport: Transport, url: httpx2.URL, *, headers: Mapping[str, str], body: object
    ) -> None:
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        self._request = httpx2.Request("POST", url)
        response, self._body = transport.ask(
            httpcore2.Request(
                "POST",
                raw_url(url),
                headers=[
                    (b"Host", url.netloc),
                    (b"Content-Length", str(len(content)).encode()),
                    *((name.encode(), value.encode()) for name, value in headers.items()),
                ],
                content=content,
            )
        )
        self.headers = httpx2.Headers(response.headers)
        if not 200 <= response.status < 300:
            raise _refused(response.status, self.headers, self._body, self._request)
        self._data = data_of(self._body)

    def __iter__(self) -> Iterator[object]:
        return self

    def __next__(self) -> object:
        """Return the next object.

        Raises:
            openai.APIError: The server says that it broke off.
            json.JSONDecodeError, UnicodeDecodeError: It is none.
        """
        data = next(self._data)
        if data.startswith(_DONE):
            raise StopIteration
        found = json.loads(data)
        error = found.get("error") if isinstance(found, dict) else None
        if error:
            said = error.get("message") if isinstance(error, dict) else None
            text = said if isinstance(said, str) and said else "An error occurred."
            raise openai.APIError(text, self._request, body=error)
        return found

    def close(self) -> None:
        """Give the connection back, or end the answer where it is not read to its end."""
        self._body.close()


def data_of(pieces: Iterable[bytes]) -> Iterator[str]:
    """Return the data of each event; one that was not ended by an empty line is none."""
    data: list[str] = []
    for line in _lines(pieces):
        words = line.decode()
        if not words:
            if data:
                yield "\n".join(data)
            data = []
        elif words.startswith("data:"):
            data.append(words[5:].removeprefix(" "))


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest: list[bytes] = []  # joined once a line ends, however many pieces it came in
    for piece in pieces:
        if not any(end in piece for end in _LINE_ENDS):
            rest.append(piece)
            continue
        whole = b"".join([*rest, piece])
        # "\r" may be the first half of a line's end.
        lines = whole.removesuffix(b"\r").splitlines(keepends=True)
        last = b"" if not lines or lines[-1].endswith(_LINE_ENDS) else lines.pop()
        rest = [last + b"\r" if whole.endswith(b"\r") else last]
        for line in lines:
            yield line.rstrip(b"\r\n")
    yield from b"".join(rest).splitlines()


def _refused(
    status: int, headers: httpx2.Headers, body: BoundedBody, request: httpx2.Request
) -> openai.APIStatusError:
    """Read a refusal to its end, as an error of the SDK."""
    try:
        content = b"".join(body)
    finally:
        body.close()
    text = content.decode("utf-8", "replace").strip()
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    response = httpx2.Response(status, headers=headers, content=content, request=request)
    return openai.APIStatusError(
        text or f"Error code: {status}", response=response, body=text if said is None else said
    )
