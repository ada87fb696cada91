"""Answers that would fill a client's memory or stop its loop, from a process of its own: `python -m faults.hostile`.

Prints its port. The path's first part names the answer; what is asked by GET is not there.
"""

import asyncio
import json
import sys
import zlib
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Final

from loopback import Visit, serving

_MIB: Final = 2**20
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%sConnection: close\r\n\r\n"
_TOKEN: Final = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'


async def endless(visit: Visit, begin: bytes, more: bytes, kind: bytes = b"text/event-stream", mib: int = 128) -> None:
    """A beginning, and then the same for as long as the client takes it."""
    await visit.say(_HEAD % (kind, b"") + begin)
    piece = more * (_MIB // len(more))
    for _ in range(mib):
        await visit.say(piece)


async def bomb(visit: Visit, begin: bytes, more: bytes, mib: int = 128) -> None:
    """The same, packed to a thousandth of its size."""
    packed = _packed(begin, more, mib)
    await visit.say(_HEAD % (b"text/event-stream", b"Content-Encoding: gzip\r\n") + packed)
    visit.writer.close()


@cache
def _packed(begin: bytes, more: bytes, mib: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = more * (_MIB // len(more))
    return packer.compress(begin) + b"".join(packer.compress(piece) for _ in range(mib)) + packer.flush()


FIREHOSES: Final[dict[str, Callable[[Visit], Awaitable[None]]]] = {
    "firehose": partial(endless, begin=b"", more=_TOKEN % b"b"),
    "firehose_of_large_events": partial(endless, begin=b"", more=_TOKEN % (b"b" * 16_000)),
}
"""Good tokens, as fast as they are taken."""

TALKS: Final[dict[str, Callable[[Visit], Awaitable[None]]]] = {
    **FIREHOSES,
    "endless_line": partial(endless, begin=b"data: ", more=b"A"),
    "endless_event": partial(endless, begin=b"", more=b"data: AAAAAAAAAAAAAAAAAAAAAAAAA\n"),
    "endless_json": partial(endless, begin=b'{"choices":["', more=b"A", kind=b"application/json"),
    "blank_lines": partial(endless, begin=b"", more=b"\n", mib=4),
    "carriage_returns": partial(endless, begin=b": \r", more=b"\r", mib=4),
    "comments": partial(endless, begin=b"", more=b":\nx\n\n", mib=1),
    "bomb_of_one_line": partial(bomb, begin=b"data: ", more=b"\0"),
    "bomb_of_blank_lines": partial(bomb, begin=b"", more=b"\n", mib=4),
    "bomb_of_comments": partial(bomb, begin=b"", more=b":\nx\n\n", mib=1),
}
"""By name; what comes to its end does so after so many MiB that a client which bounds nothing would show it."""


async def talk(visit: Visit) -> None:
    if visit.method == "GET":
        await visit.answer(b"{}", status="404 Not Found")
        return
    await TALKS[visit.path.split("/")[1]](visit)
    visit.writer.close()


async def main() -> None:
    async with serving(talk) as server:
        sys.stdout.write(json.dumps({"port": server.port}) + "\n")
        sys.stdout.flush()
        await asyncio.sleep(300)


if __name__ == "__main__":
    asyncio.run(main())
