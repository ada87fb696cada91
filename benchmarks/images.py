"""Whether image jobs hold up a text stream in the same event loop: the stream's worst gap, with and without them.

    python benchmarks/images.py [--jobs 20] [--rounds 3]

A server in a process of its own sends a token each 10 ms and runs a queue for pictures: each job is polled twice a
second for one to three seconds, and then its picture, a PNG of 3 MiB, is fetched; in every other job it comes as base64
in JSON, which is the worst case. A gap is between two tokens as the caller gets them; a delay is from the server's
sending of a token to the caller's having it, which the server's own pauses are no part of. `held` is the longest turn
of the event loop, by the time that its thread was at work, which a loaded machine does not change.
"""

import argparse
import asyncio
import base64
import json
import random
import socket
import statistics
import struct
import subprocess
import sys
import time
import zlib
from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

from aiohttp import web

from hfgen import HuggingFaceInference, ImageResponse
from hfgen.generation import Generation
from hfgen.picture import unpacked
from hfgen.providers.pipeline import Call, stream
from hfgen.providers.plan import Plan
from hfgen.providers.routes import Dialect, Route
from hfgen.transport.session import Session
from hfgen.wire import END, Again, Body, Frame, Item, PictureAt, Target, WireRequest

TOKENS = 400
PACE = 0.01  # seconds
WORK = 1.0  # seconds that the quickest picture takes; each further job takes a little longer
LONGER = 0.1
POLL = 0.5  # seconds, as providers have it


def encode(asked: Generation, target: Target) -> WireRequest:
    return WireRequest(target.url("/paint"), json.dumps({"prompt": asked.text}).encode())


def decode(frame: Frame) -> Sequence[Item]:
    assert isinstance(frame, Body)
    said = json.loads(frame.data)
    match said:
        case {"follow": url}:
            return [WireRequest(url, method="GET")]
        case {"at": url}:
            return [PictureAt(url), END]
        case {"b64": text}:
            return [ImageResponse(unpacked(text)), END]
        case _:
            return [Again(POLL)]


async def paint(session: Session, url: str) -> None:
    route = Route(Dialect("toy", encode, decode, paints=True), Target(url, model="m"))

    async def plan() -> Plan:
        return Plan(Generation("m", prompt="a fox"), route)

    @asynccontextmanager
    async def opening() -> AsyncGenerator[Call, None]:
        yield Call([plan], session)

    seen = [event async for event in stream(opening())]
    assert any(isinstance(event, ImageResponse) for event in seen)


class Round(NamedTuple):
    """In milliseconds: for each token but the first the gap before it and its delay; the longest turn of the loop."""

    gaps: list[float]
    delays: list[float]
    held: float = 0.0


class Held:
    """The longest callback of the event loop, by the time that its thread was at work: other processes do not count."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._run: Any = vars(asyncio.Handle)["_run"]  # no part of its interface

    def __enter__(self) -> Self:
        def timed(handle: asyncio.Handle) -> None:
            start = time.thread_time()
            self._run(handle)
            self.longest = max(self.longest, (time.thread_time() - start) * 1000)

        setattr(asyncio.Handle, "_run", timed)  # noqa: B010
        return self

    def __exit__(self, *_: object) -> None:
        setattr(asyncio.Handle, "_run", self._run)  # noqa: B010


async def read(session: Session, url: str) -> Round:
    """A text stream from its beginning to its end."""
    sent, came = array("d"), array("d")
    async for event in HuggingFaceInference.create_async_generator(
        "m", [{"role": "user", "content": "x"}], api_base=f"{url}/v1", session=session
    ):
        if isinstance(event, str):
            came.append(time.monotonic())
            sent.append(float(event))
    turns = range(1, len(came))
    gaps = [(came[at] - came[at - 1]) * 1000 for at in turns]
    return Round(gaps, [(came[at] - sent[at]) * 1000 for at in turns])


async def measured(url: str, jobs: int) -> Round:
    with Held() as held:
        async with Session() as session, asyncio.TaskGroup() as group:
            text = group.create_task(read(session, url))
            for _ in range(jobs):
                group.create_task(paint(session, url))
    return text.result()._replace(held=held.longest)


def noise() -> bytes:
    """A PNG that does not compress."""
    side = 1024
    rows = b"".join(b"\0" + random.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def serve() -> None:
    picture = noise()
    packed = json.dumps({"b64": base64.b64encode(picture).decode()}).encode()
    begun: list[float] = []

    async def tokens(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        start = time.monotonic()
        for number in range(TOKENS):
            finish = "stop" if number == TOKENS - 1 else None
            chunk = {"choices": [{"index": 0, "delta": {"content": f"{time.monotonic()} "}, "finish_reason": finish}]}
            await answer.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            await asyncio.sleep(max(0.0, start + (number + 1) * PACE - time.monotonic()))
        await answer.write(b"data: [DONE]\n\n")
        return answer

    async def submit(_: web.Request) -> web.Response:
        begun.append(time.monotonic())
        return web.json_response({"follow": f"/poll/{len(begun) - 1}"})

    async def poll(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if time.monotonic() - begun[number] < WORK + LONGER * (number % 20):
            return web.json_response({})
        if number % 2:
            return web.Response(body=packed, content_type="application/json")
        return web.json_response({"at": f"http://{request.host}/picture"})

    async def fetch(_: web.Request) -> web.Response:
        return web.Response(body=picture, content_type="image/png")

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "m"}]})

    async def run() -> None:
        app = web.Application()
        app.add_routes([
            web.post("/v1/chat/completions", tokens), web.post("/paint", submit), web.get("/poll/{number}", poll),
            web.get("/picture", fetch), web.get("/v1/models", models),
        ])  # fmt: skip
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listener).start()
        print(listener.getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)  # until the other side is gone

    asyncio.run(run())


def show(jobs: int, name: str, rounds: Sequence[Sequence[float]]) -> None:
    """One line: over all tokens; `worst` is the median of the rounds' worst."""
    every = sorted(value for one in rounds for value in one)
    worst = [max(one) for one in rounds]
    median, late = statistics.median(every), every[len(every) * 99 // 100]
    each = " ".join(f"{value:.1f}" for value in worst)
    print(f"{jobs:>5} {name:8} {median:>8.1f} {late:>8.1f} {statistics.median(worst):>8.1f}   {each}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve()
        return
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        rounds: dict[int, list[Round]] = {0: [], asked.jobs: []}
        for _ in range(asked.rounds):
            for jobs, done in rounds.items():  # in turns: what else the machine does meets both alike
                done.append(asyncio.run(measured(url, jobs)))
        server.stdin.close()
        print(f"{TOKENS} tokens, one each {PACE * 1000:g} ms; ms, {asked.rounds} rounds")
        print(f"{'jobs':>5} {'':8} {'median':>8} {'99 %':>8} {'worst':>8}   worst of each round")
        for jobs, done in rounds.items():
            show(jobs, "gap", [one.gaps for one in done])
            show(jobs, "delay", [one.delays for one in done])
            show(jobs, "held", [[one.held] for one in done])


if __name__ == "__main__":
    main()
