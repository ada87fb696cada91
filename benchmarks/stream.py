"""What a streamed token costs each client, in CPU time: one server process, one process for each client and turn.

    python benchmarks/stream.py [--peers PYTHON] [--turns 5] [--tokens 20000]

`--peers` is an interpreter that has huggingface_hub and openai; clients that do not install are left out. The clients
take turns, every one streams the same number of tokens (counted, and printed), and the figures are medians. `firehose`
is one stream as fast as it goes; `paced` is 64 streams of 50 tokens a second, one event a packet.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SOURCE = HERE.parents[1] / "src"
CLIENTS = ("raw", "bare", "hfgen", "hub_tgi", "hub_chat", "openai")
CHAT = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
PACED_TOKENS, PACED_STREAMS = 100, 64


def event(api: str, last: bool) -> bytes:
    finish = "stop" if last else None
    if api == "chat":
        said: dict[str, Any] = {
            **CHAT,
            "choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": finish}],
        }
    else:
        token = {"id": 5, "text": " word", "logprob": -0.5, "special": False}
        details = {"finish_reason": "eos_token", "generated_tokens": 1, "seed": None, "prefill": [], "tokens": []}
        said = {
            "index": 1,
            "token": token,
            "generated_text": "x" if last else None,
            "details": details if last else None,
        }
    data = b"data:" + json.dumps(said).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


async def serve() -> None:
    """Answers POST /<api>/<tokens>/<pace>/…; everything is rendered before the clock runs."""
    rendered = {api: (event(api, last=False), event(api, last=True)) for api in ("chat", "tgi")}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = next((int(x[15:]) for x in head.split("\r\n") if x.startswith("content-length:")), 0)
                await reader.readexactly(length)
                if not head.startswith("post"):
                    writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
                    continue
                _, api, tokens, pace, *_ = head.split(" ")[1].split("/")
                one, last = rendered[api]
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                if pace == "0":
                    block = one * 100
                    for _ in range((int(tokens) - 1) // 100):
                        writer.write(block)
                        await writer.drain()
                    writer.write(one * ((int(tokens) - 1) % 100))
                else:
                    for _ in range(int(tokens) - 1):
                        writer.write(one)
                        await asyncio.sleep(float(pace))
                writer.write(last + b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def raw(base: str) -> AsyncIterator[int]:
    path = "/" + base.split("/", 3)[3] + "/x"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(base.split(":")[2].split("/", maxsplit=1)[0]))
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    tail = b""
    while True:
        data = await reader.read(65536)
        yield (tail + data).count(b"data:")
        tail = data[-4:]  # a name that two reads share is counted once: four of its five bytes cannot be one
        if data.endswith(b"0\r\n\r\n"):
            break
    writer.close()


async def bare(base: str) -> AsyncIterator[int]:
    import aiohttp  # noqa: PLC0415
    import msgspec  # noqa: PLC0415

    class Delta(msgspec.Struct, gc=False):
        content: str = ""

    class Choice(msgspec.Struct, gc=False):
        delta: Delta

    class Chunk(msgspec.Struct, gc=False):
        choices: list[Choice]

    decode, rest = msgspec.json.Decoder(Chunk).decode, b""
    async with aiohttp.ClientSession(read_bufsize=2**18) as session, session.post(f"{base}/x", data=b"{}") as response:
        async for data in response.content.iter_any():
            *blocks, rest = (rest + data).split(b"\n\n")
            for block in blocks:
                yield len(decode(block[5:]).choices[0].delta.content) > 0


async def hfgen(base: str) -> AsyncIterator[int]:
    from hfgen import HuggingFaceInference, Session  # noqa: PLC0415

    async with Session() as session:
        address, question = f"{base}/v1/chat/completions", [{"role": "user", "content": "x"}]
        more = {"api_base": address, "max_tokens": None, "session": session}
        async for item in HuggingFaceInference.create_async_generator("m", question, **more):
            yield isinstance(item, str)


async def hub_tgi(base: str) -> AsyncIterator[int]:
    from huggingface_hub import AsyncInferenceClient  # noqa: PLC0415

    client = AsyncInferenceClient(base.replace("/chat/", "/tgi/") + "/x")
    async for _ in await client.text_generation("x", stream=True, details=True, max_new_tokens=10**6):
        yield 1


async def hub_chat(base: str) -> AsyncIterator[int]:
    from huggingface_hub import AsyncInferenceClient  # noqa: PLC0415

    client = AsyncInferenceClient(base_url=base, api_key="x")
    async for _ in await client.chat_completion([{"role": "user", "content": "x"}], stream=True):
        yield 1


async def openai(base: str) -> AsyncIterator[int]:
    from openai import AsyncOpenAI  # noqa: PLC0415

    client = AsyncOpenAI(base_url=base, api_key="x")
    question: list[Any] = [{"role": "user", "content": "x"}]
    async for _ in await client.chat.completions.create(model="m", messages=question, stream=True):
        yield 1


async def count(client: str, base: str) -> int:
    return sum([int(seen) async for seen in globals()[client](base)])


async def play(client: str, port: str, streams: int, tokens: int, pace: str) -> None:
    """One turn of one client; a first short stream pays for imports and what is made once."""
    root = f"http://127.0.0.1:{port}/chat"
    await count(client, f"{root}/20/0")
    began = time.process_time()
    seen = await asyncio.gather(*(count(client, f"{root}/{tokens}/{pace}") for _ in range(streams)))
    cpu = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"tokens": sum(seen), "us": 1e6 * cpu / sum(seen), "mib": peak}))


def turn(python: str, *words: object) -> dict[str, float] | None:
    done = subprocess.run(
        [python, str(HERE), "--play", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=120,
    )
    if done.returncode:
        print(f"{words[0]} left out: {done.stderr.strip().splitlines()[-1][:150]}", file=sys.stderr)
        return None
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--play", nargs="*")
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve())
    elif given.play:
        client, port, streams, tokens, pace = given.play
        asyncio.run(play(client, port, int(streams), int(tokens), pace))
    else:
        with subprocess.Popen([sys.executable, str(HERE), "--serve"], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                compare(given.peers, server.stdout.readline().strip(), given.turns, given.tokens)
            finally:
                server.terminate()


def compare(peers: str, port: str, turns: int, tokens: int) -> None:
    shapes = {"firehose": (1, tokens, "0"), "paced": (PACED_STREAMS, PACED_TOKENS, "0.02")}
    for shape, how in shapes.items():
        rounds: dict[str, list[dict[str, float]]] = {}
        left = list(CLIENTS)
        for _ in range(turns):
            for client in tuple(left):
                python = peers if client.startswith(("hub", "openai")) else sys.executable
                figures = turn(python, client, port, *how)
                if figures is None:
                    left.remove(client)
                else:
                    rounds.setdefault(client, []).append(figures)
        print(f"\n{shape}, {turns} turns, medians")
        print(f"{'client':10} {'us a token':>10} {'x hfgen':>8} {'tokens':>8} {'MiB':>5}")
        middle = {client: statistics.median(one["us"] for one in seen) for client, seen in rounds.items()}
        for client, seen in rounds.items():
            ratio = statistics.median(a["us"] / b["us"] for a, b in zip(seen, rounds["hfgen"], strict=False))
            print(f"{client:10} {middle[client]:10.2f} {ratio:8.2f} {seen[0]['tokens']:8.0f} {seen[0]['mib']:5.0f}")


if __name__ == "__main__":
    main()
