"""A server that costs next to nothing: `POST /<api>/<tokens>/<milliseconds>/…` streams events that are rendered before.

0 milliseconds is as fast as it goes, 100 events a write. Paced streams have one event a packet; one ticker serves all,
each in its own millisecond of the pace, so that a thousand streams do not all come at once.
"""

import asyncio
import contextlib
import json
import resource
import socket
from collections import defaultdict
from typing import Any

CHAT = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(api: str, word: str, *, last: bool = False) -> bytes:
    """One event as an HTTP chunk, the last with the reason to end."""
    if api == "chat":
        said: dict[str, Any] = {
            **CHAT,
            "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": "stop" if last else None}],
        }
    else:
        details = {"finish_reason": "eos_token", "generated_tokens": 1, "seed": None, "prefill": [], "tokens": []}
        said = {
            "index": 1,
            "token": {"id": 5, "text": word, "logprob": -0.5, "special": False},
            "generated_text": "x" if last else None,
            "details": details if last else None,
        }
    data = b"data:" + json.dumps(said).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


APIS = ("chat", "tgi")
TWO = {api: (event(api, " word"), event(api, " next")) for api in APIS}  # in turn: litellm refuses a hundred alike
LAST = {api: event(api, " end.", last=True) + b"0\r\n\r\n" for api in APIS}


class Pacer:
    """Writes the next event of each paced stream when its millisecond comes."""

    def __init__(self) -> None:
        self._slots: dict[int, dict[int, dict[asyncio.StreamWriter, tuple[str, int]]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        self._joined = 0

    def add(self, writer: asyncio.StreamWriter, api: str, tokens: int, pace: int) -> None:
        self._joined += 1
        self._slots[pace][self._joined * 7 % pace][writer] = (api, tokens)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        began, tick = loop.time(), 0
        while True:
            for pace, slots in self._slots.items():
                self._send(slots.get(tick % pace, {}))
            tick += 1
            await asyncio.sleep(max(0.0, began + tick / 1000 - loop.time()))

    def _send(self, due: dict[asyncio.StreamWriter, tuple[str, int]]) -> None:
        for writer, (api, left) in tuple(due.items()):
            due[writer] = (api, left - 1)
            writer.write(TWO[api][left % 2] if left > 1 else LAST[api])
            if left == 1 or writer.transport.is_closing():
                del due[writer]


async def firehose(writer: asyncio.StreamWriter, api: str, tokens: int) -> None:
    one, two = TWO[api]
    for _ in range((tokens - 1) // 100):
        writer.write((one + two) * 50)
        await writer.drain()
    writer.write(one * ((tokens - 1) % 100) + LAST[api])


async def serve() -> None:
    pacer = Pacer()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = next((int(x[15:]) for x in head.split("\r\n") if x.startswith("content-length:")), 0)
                await reader.readexactly(length)
                if not head.startswith("post"):
                    writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
                    continue
                _, api, tokens, pace, *_ = head.split(" ")[1].split("/")
                if pace == "0":
                    writer.write(HEAD)
                    await firehose(writer, api, int(tokens))
                else:  # the first event at once, as a model's prompt is done when the head goes out
                    writer.write(HEAD + TWO[api][0])
                    pacer.add(writer, api, int(tokens) - 1, int(pace))
        writer.close()

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.gather(server.serve_forever(), pacer.run())


if __name__ == "__main__":
    asyncio.run(serve())
