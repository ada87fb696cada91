"""What is asked of the toolkit, scene by scene; the docstring of each is its title, its name that of its recording."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import aiohttp
import pace
from recorder import Recorder

from hfgen import HfgenError, HuggingFaceInference, ImageResponse
from hfgen.events import Event
from hfgen.servers.detect import detect, parse_api_base
from hfgen.transport.session import Session

PROMPT = "a red fox in snow"
SMALL: Mapping[str, Any] = {"width": 32, "height": 32, "num_inference_steps": 2}
LARGE: Mapping[str, Any] = {"width": 256, "height": 256, "num_inference_steps": 4}


@dataclass
class Stage:
    """Where a scene plays: hfgen asks the recorder, which asks the toolkit at `port`."""

    recorder: Recorder
    port: int

    async def paint(self, path: str = "", **asked: Any) -> list[bytes]:
        """Ask hfgen for pictures; print the request, the events and what went over the wire."""
        before = len(self.recorder.exchanges)
        lines, pictures = await self.painted(path, **asked)
        lines[1:1] = [f"    wire    {exchange}" for exchange in self.recorder.exchanges[before:] if exchange.asks]
        print("\n".join(lines))
        return pictures

    async def painted(self, path: str = "", **asked: Any) -> tuple[list[str], list[bytes]]:
        """What the caller sees, line by line, and the pictures."""
        began = time.perf_counter()
        pictures: list[bytes] = []
        lines = [f"    asked   {', '.join(f'{key}={value!r}' for key, value in asked.items()) or 'the prompt alone'}"]
        try:
            async for event in self.events(path, **asked):
                lines.append(f"    event   {shown(event)}")
                if isinstance(event, ImageResponse):
                    pictures.append(event.media.data)
        except HfgenError as error:
            lines.append(f"    error   {type(error).__name__}: {' '.join(str(error).splitlines())}")
        return [*lines, f"    took    {time.perf_counter() - began:.2f} s"], pictures

    def events(self, path: str = "", **asked: Any) -> Any:
        return HuggingFaceInference.create_async_generator(
            **{"model": "", "messages": [], "prompt": PROMPT, "api_base": self.recorder.url + path, **asked}
        )

    async def post(self, body: bytes, **headers: str) -> None:
        """Ask as another client would, by hand."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession(self.recorder.url) as session,
            session.post("/", data=body, headers=named) as answer,
        ):
            await answer.read()
        print(f"    headers {named}\n    wire    {self.recorder.exchanges[-1]}")

    async def busy(self) -> str:
        """How many requests the toolkit works at, and how many wait there."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}/metrics") as answer,
        ):
            return " ".join((await answer.text()).split())


def shown(event: Event) -> str:
    """An event without its picture."""
    if not isinstance(event, ImageResponse):
        return repr(event)
    data = event.media.data
    print_of = hashlib.sha256(data).hexdigest()[:12]
    seed = f"seed {event.seed}" if event.seed is not None else "no seed"
    form = f"{event.media.media_type} {event.width}x{event.height}"
    return f"ImageResponse {form}, {len(data)} bytes, sha256 {print_of}, {seed}"


async def server(stage: Stage) -> None:
    """Which server is it?"""
    async with Session() as session:
        found = await detect(session, parse_api_base(stage.recorder.url))
    print(f"    found   {found.name} (kind {found.kind})")
    for exchange in stage.recorder.exchanges:
        print(f"    wire    {exchange}")


async def picture(stage: Stage) -> None:
    """A picture of 64x64"""
    await stage.paint(**{**SMALL, "width": 64, "height": 64, "seed": 7})


async def large_picture(stage: Stage) -> None:
    """A picture of 256x256"""
    await stage.paint(**LARGE, seed=7)
    stage.recorder.exchanges.clear()  # too large to keep, and nothing new


async def same_seed(stage: Stage) -> None:
    """The same seed twice"""
    first, second = await stage.paint(**SMALL, seed=7), await stage.paint(**SMALL, seed=7)
    print(f"    the same bytes: {first == second}")


async def other_seed(stage: Stage) -> None:
    """Other seeds"""
    pictures = [*await stage.paint(**SMALL, seed=8), *await stage.paint(**SMALL, seed=9)]
    print(f"    other bytes: {len({*pictures, *await stage.paint(**SMALL, seed=7)}) == len(pictures) + 1}")


async def options(stage: Stage) -> None:
    """Every option of pictures: each of them changes the picture, but for the scheduler, which the toolkit ignores"""
    plain = await stage.paint(**SMALL, seed=7)
    for more in (
        {"negative_prompt": "blue"},
        {"guidance_scale": 2.0},
        {"num_inference_steps": 3},
        {"scheduler": "DDIM"},
    ):
        print(f"    changes the picture: {await stage.paint(**{**SMALL, 'seed': 7, **more}) != plain}")


async def prompt_alone(stage: Stage) -> None:
    """Nothing but a prompt: no option tells that a picture is wanted, so that it is asked as for text"""
    await stage.paint()


async def steps_alone(stage: Stage) -> None:
    """An option of pictures, and no size"""
    await stage.paint(num_inference_steps=1, seed=7)


async def predict(stage: Stage) -> None:
    """The whole path given as api_base"""
    await stage.paint("/predict", **SMALL, seed=7)


async def not_square(stage: Stage) -> None:
    """Width and height that differ"""
    await stage.paint(width=64, height=32, seed=7)


async def ratio(stage: Stage) -> None:
    """A ratio that is no square"""
    await stage.paint(aspect_ratio="16:9", seed=7)


async def odd_size(stage: Stage) -> None:
    """A size that is no multiple of 8"""
    await stage.paint(width=100, height=100, seed=7)


async def bad_steps(stage: Stage) -> None:
    """Steps that the painter cannot take"""
    await stage.paint(width=32, height=32, seed=7, num_inference_steps=-1)


async def in_sequence(stage: Stage) -> None:
    """Three pictures one after the other"""
    began = time.perf_counter()
    for seed in (1, 2, 3):
        await stage.paint(**LARGE, seed=seed)
    print(f"    all     {time.perf_counter() - began:.2f} s")
    stage.recorder.exchanges.clear()


async def in_parallel(stage: Stage) -> None:
    """Three calls at once: the toolkit paints one at a time and lets the others wait"""
    began = time.perf_counter()
    calls = [asyncio.create_task(stage.painted(**LARGE, seed=seed)) for seed in (1, 2, 3)]
    await asyncio.sleep(0.15)
    print(f"    while they run: {await stage.busy()}")
    for lines, _ in await asyncio.gather(*calls):
        print("\n".join(lines))
    print(f"    all     {time.perf_counter() - began:.2f} s")
    stage.recorder.exchanges.clear()


async def three(stage: Stage) -> None:
    """n=3 in one call: three requests, for the toolkit makes one picture of each"""
    pictures = await stage.paint(**SMALL, seed=7, n=3)
    alone = [(await stage.paint(**SMALL, seed=seed))[0] for seed in (7, 8, 9)]
    print(f"    the pictures of seeds 7, 8 and 9: {sorted(pictures) == sorted(alone)}")


async def left_early(stage: Stage) -> None:
    """The caller leaves in the middle: hfgen hangs up at once, but the toolkit paints on, and the next call waits"""
    await _leave(stage, calls=1)


async def left_in_queue(stage: Stage) -> None:
    """Three callers leave, two of them while they wait: the toolkit paints for all three before the next call"""
    await _leave(stage, calls=3)


async def _leave(stage: Stage, calls: int) -> None:
    slow = {"width": 256, "height": 256, "num_inference_steps": 20}
    began = time.perf_counter()
    tasks = [asyncio.create_task(stage.painted(**slow, seed=seed)) for seed in range(calls)]
    await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(f"    left after {time.perf_counter() - began:.2f} s; {await stage.busy()}")
    for exchange in stage.recorder.exchanges:
        print(f"    wire    {exchange}")
    await stage.paint(**SMALL, seed=7)
    stage.recorder.exchanges.clear()


async def closed_early(stage: Stage) -> None:
    """The generator is closed before its first event"""
    async with aclosing(stage.events(**LARGE, seed=7)):
        pass
    print(f"    exchanges: {len(stage.recorder.exchanges)}")


async def text_beside(stage: Stage) -> None:
    """A stream of text, one piece in 10 ms, in the event loop that waits for three pictures"""
    toolkit = f"http://127.0.0.1:{stage.port}"
    async with pace.token_server() as text:
        print(pace.row("alone", await pace.gaps(text)))
        asked = [asyncio.create_task(pace.by_hfgen(toolkit, seed)) for seed in (1, 2, 3)]
        print(pace.row("three pictures in the same loop", await pace.gaps(text)))
        await asyncio.gather(*asked)
        asked = [asyncio.create_task(pace.by_another_process(toolkit)) for _ in range(3)]
        print(pace.row("three pictures for other processes", await pace.gaps(text)))
        await asyncio.gather(*asked)


async def any_type(stage: Stage) -> None:
    """By hand, as clients ask that name no type: the picture comes as a JSON string of base64"""
    await stage.post(_BODY, Content_Type="application/json", Accept="*/*")


async def jpeg(stage: Stage) -> None:
    """By hand: a JPEG"""
    await stage.post(_BODY, Content_Type="application/json", Accept="image/jpeg")


async def octets(stage: Stage) -> None:
    """By hand: a type that it does not know is refused after the work"""
    await stage.post(_BODY, Content_Type="application/json", Accept="application/octet-stream")


async def charset(stage: Stage) -> None:
    """By hand: a content type with a charset in lower case is refused"""
    await stage.post(_BODY, Content_Type="application/json; charset=utf-8", Accept="image/png")


async def no_inputs(stage: Stage) -> None:
    """By hand: OpenAI's form"""
    await stage.post(b'{"prompt": "a red fox"}', Content_Type="application/json", Accept="image/png")


async def no_json(stage: Stage) -> None:
    """By hand: no JSON"""
    await stage.post(b"{bad", Content_Type="application/json", Accept="image/png")


_BODY = b'{"inputs":"a red fox in snow","parameters":{"width":32,"height":32,"seed":7,"num_inference_steps":2}}'

SCENES: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    server,
    picture,
    large_picture,
    same_seed,
    other_seed,
    options,
    prompt_alone,
    steps_alone,
    predict,
    not_square,
    ratio,
    odd_size,
    bad_steps,
    in_sequence,
    in_parallel,
    three,
    left_early,
    left_in_queue,
    closed_early,
    text_beside,
    any_type,
    jpeg,
    octets,
    charset,
    no_inputs,
    no_json,
)
