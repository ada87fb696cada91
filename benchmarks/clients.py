"""The clients that are compared: each opens what it keeps for many calls, and yields the tokens of one at a time.

An `ask(address)` is an async generator of how many tokens came. Addresses are `http://host:port/<api>/<tokens>/<pace>`.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar, TypeAlias

Ask: TypeAlias = Callable[[str], AsyncIterator[int]]
QUESTION: list[Any] = [{"role": "user", "content": "x"}]


@contextlib.asynccontextmanager
async def raw() -> AsyncIterator[Ask]:
    """The floor: bytes are read and events counted, without HTTP and JSON."""
    import asyncio  # noqa: PLC0415 - every client imports what it needs when it is chosen

    kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(address: str) -> AsyncIterator[int]:
        host, _, path = address.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        reader, writer = kept.pop() if kept else await asyncio.open_connection(name, int(port))
        writer.write(f"POST /{path}/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        tail = b""
        while not tail.endswith(b"0\r\n\r\n"):
            data = tail + await reader.read(65536)
            if seen := data.count(b"data:") - tail.count(b"data:"):
                yield seen
            tail = data[-6:]
        kept.append((reader, writer))

    yield ask
    for _, writer in kept:
        writer.close()


@contextlib.asynccontextmanager
async def bare() -> AsyncIterator[Ask]:
    """aiohttp and msgspec in a dozen lines: no errors, no time limits, no end but that of the body."""
    import aiohttp  # noqa: PLC0415
    import msgspec  # noqa: PLC0415

    class Delta(msgspec.Struct, gc=False):
        content: str = ""

    class Choice(msgspec.Struct, gc=False):
        delta: Delta

    class Chunk(msgspec.Struct, gc=False):
        choices: list[Choice]

    class Token(msgspec.Struct, gc=False):
        text: str = ""

    class Piece(msgspec.Struct, gc=False):
        token: Token

    decode_chat, decode_tgi = msgspec.json.Decoder(Chunk).decode, msgspec.json.Decoder(Piece).decode
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**18) as session:

        async def ask(address: str) -> AsyncIterator[int]:
            chat, rest = "/chat/" in address, b""
            async with session.post(f"{address}/x", data=b"{}") as response:
                async for data in response.content.iter_any():
                    *blocks, rest = (rest + data).split(b"\n\n")
                    for block in blocks:
                        if chat:
                            text = decode_chat(block[5:]).choices[0].delta.content
                        else:
                            text = decode_tgi(block[5:]).token.text
                        yield len(text) > 0

        yield ask


@contextlib.asynccontextmanager
async def hfgen() -> AsyncIterator[Ask]:
    from hfgen import HuggingFaceInference, Session  # noqa: PLC0415

    async with Session() as session:

        async def ask(address: str) -> AsyncIterator[int]:
            if "/chat/" in address:
                said: dict[str, Any] = {"messages": QUESTION, "api_base": f"{address}/v1/chat/completions"}
            else:
                said = {"messages": [], "prompt": "x", "api_base": f"{address}/generate_stream"}
            async for event in HuggingFaceInference.create_async_generator(
                "m", session=session, max_tokens=None, **said
            ):
                if isinstance(event, str):
                    yield 1

        yield ask


@contextlib.asynccontextmanager
async def huggingface_hub() -> AsyncIterator[Ask]:
    from huggingface_hub import AsyncInferenceClient  # noqa: PLC0415

    client = AsyncInferenceClient(token="x")

    async def ask(address: str) -> AsyncIterator[int]:
        if "/chat/" in address:
            async for _ in await client.chat_completion(QUESTION, model=address, stream=True):
                yield 1
        else:
            async for _ in await client.text_generation("x", model=f"{address}/x", stream=True, details=True):
                yield 1

    yield ask
    await client.close()


@contextlib.asynccontextmanager
async def openai() -> AsyncIterator[Ask]:
    from openai import AsyncOpenAI  # noqa: PLC0415

    async with AsyncOpenAI(base_url="http://x", api_key="x") as client:

        async def ask(address: str) -> AsyncIterator[int]:
            completions = client.with_options(base_url=address).chat.completions
            async for _ in await completions.create(model="m", messages=QUESTION, stream=True):
                yield 1

        yield ask


@contextlib.asynccontextmanager
async def litellm() -> AsyncIterator[Ask]:
    import os  # noqa: PLC0415

    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices
    import litellm as library  # noqa: PLC0415

    library.suppress_debug_info = True
    library.disable_hf_tokenizer_download = True

    async def ask(address: str) -> AsyncIterator[int]:
        answer = await library.acompletion("openai/m", QUESTION, api_base=address, api_key="x", stream=True)
        async for chunk in answer:
            if chunk.choices[0].delta.content:
                yield 1

    yield ask


@contextlib.asynccontextmanager
async def g4f() -> AsyncIterator[Ask]:
    from g4f.Provider.template import OpenaiTemplate  # noqa: PLC0415

    class Loopback(OpenaiTemplate):
        models: ClassVar[Any] = {"m": {"id": "m"}}  # else it asks the server for them at each call
        default_model = "m"

    async def ask(address: str) -> AsyncIterator[int]:
        async for chunk in Loopback.create_async_generator("m", QUESTION, base_url=address, api_key="x", stream=True):
            if isinstance(chunk, str):
                yield 1

    yield ask


CLIENTS: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Ask]]] = {
    "raw": raw,
    "bare": bare,
    "hfgen": hfgen,
    "huggingface_hub": huggingface_hub,
    "openai": openai,
    "g4f": g4f,
    "litellm": litellm,
}
ONLY_CHAT = ("openai", "g4f", "litellm")
