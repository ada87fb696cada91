"""A model that costs next to nothing: each request gets the same answer after 5 ms, streamed in one write or whole.

`python batch_server.py TOKENS` prints its port. `GET /v1/models` names `m`; all else is a 404.
"""

import asyncio
import json
import resource
import sys
from typing import Any, Final

WAIT: Final = 0.005
TOKENS: Final = int(sys.argv[1])
CHAT: Final[dict[str, Any]] = {"id": "c", "created": 1, "model": "m"}
USAGE: Final = {"prompt_tokens": 9, "completion_tokens": TOKENS, "total_tokens": 9 + TOKENS}

NOTHING: Final = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
MODELS: Final = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{"data":[{"id":"m"}]}'


def event(said: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(CHAT | {"object": "chat.completion.chunk"} | said).encode() + b"\n\n"


def delta(word: str, finish: str | None = None) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": finish}]})


def answers() -> tuple[bytes, bytes]:
    """As events, one HTTP chunk each, and whole."""
    events = [*[delta(" word")] * (TOKENS - 1), delta(" end.", "stop"), event({"choices": [], "usage": USAGE})]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in [*events, b"data: [DONE]\n\n"]) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    message = {"role": "assistant", "content": " word" * (TOKENS - 1) + " end."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps(CHAT | {"object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    return head + chunks, whole


class Answering(asyncio.Protocol):
    """One connection: a request after the other, so no queue is needed."""

    streamed, whole = answers()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, found, body = self._seen.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(body) < length:
            return
        self._seen = b""
        if not head.startswith(b"POST"):
            self._transport.write(MODELS if lines[0].startswith(b"get /v1/models ") else NOTHING)
            return
        answer = self.streamed if b'"stream":true' in body.replace(b" ", b"") else self.whole
        asyncio.get_running_loop().call_later(WAIT, self._answer, answer, b"connection: close" in lines)

    def _answer(self, answer: bytes, last: bool) -> None:
        self._transport.write(answer)
        if last:
            self._transport.close()


async def serve() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
