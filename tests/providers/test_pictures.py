"""Pictures as jobs: polled, fetched, side by side, cancelled, and never paid for twice.

The language is a toy: a list of items in JSON, so that every turn a provider could take is written down in the test.
"""

import asyncio
import base64
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest

from hfgen.errors import (
    BadPicture,
    ContentFiltered,
    GenerationError,
    HfgenError,
    MissingAuth,
    ModelLoading,
    ServerError,
    TimedOut,
    UsageError,
)
from hfgen.events import Event, FinishReason, ImageResponse, Progress, Usage
from hfgen.generation import Generation, Picture, Sampling
from hfgen.limits import Limits
from hfgen.messages import Messages
from hfgen.picture import unpacked
from hfgen.providers.huggingface import HuggingFaceInference
from hfgen.providers.jobs import Jobs
from hfgen.providers.pipeline import Call, stream
from hfgen.providers.places import Terms
from hfgen.providers.plan import Plan
from hfgen.providers.routes import Dialect, Route
from hfgen.transport.retry import RetryBudget
from hfgen.transport.session import Session
from hfgen.wire import END, Again, Frame, Item, PictureAt, Target, WireRequest
from loopback import Server, Visit, serving
from pictures import huge_png, png

TOKEN = "hf_secret_secret_1"
Say = Callable[[Visit], Sequence[Any]]


_WORDS: dict[str, Item] = {"end": END, "withheld": FinishReason("content_filter")}


def encode(asked: Generation, target: Target) -> WireRequest:
    body = {"prompt": asked.text, "seed": asked.sampling.seed, "n": asked.picture.n}
    return WireRequest(target.url("/paint"), msgspec.json.encode(body))


def decode(frame: Frame) -> Sequence[Item]:
    data = frame if isinstance(frame, bytes) else frame.data
    return [_WORDS[item] if isinstance(item, str) else _item(item) for item in json.loads(data)]


def _item(said: Any) -> Item:
    match said:
        case {"follow": url}:
            cancel = WireRequest(said["cancel"], method="PUT") if "cancel" in said else None
            return WireRequest(url, method="GET", delay=said.get("delay", 0.0), cancel=cancel)
        case {"again": delay}:
            return Again(delay)
        case {"at": url}:
            return PictureAt(url, said.get("seed"), said.get("revised", ""))
        case {"b64": text}:
            return ImageResponse(unpacked(text))
        case {"stage": stage}:
            return Progress(stage, position=said.get("position"))
        case {"filtered": words}:
            raise ContentFiltered(words)
        case {"failed": words}:
            raise GenerationError(words)
        case {"tokens": count}:
            return Usage(completion_tokens=count)
        case _:
            raise AssertionError(said)


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


async def say(visit: Visit, *items: Any, more: str = "") -> None:
    await visit.answer(json.dumps(items).encode(), more=more)


async def paint(
    *servers: Server,
    limits: Limits | None = None,
    seeds: bool = True,
    most: int = 1,
    seed: int | None = 7,
    n: int = 1,
    extra: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Event, None]:
    """One call, as `create_async_generator` makes it once it has its plan."""
    limits = limits or Limits()
    dialect = Dialect("toy", encode, decode, paints=True, most=most, seeds=seeds)
    asked = Generation(
        "m", prompt="a fox", sampling=Sampling(seed=seed), picture=Picture(n=n), extra=extra or {}, limits=limits
    )

    async def plan(server: Server) -> Plan:
        return Plan(asked, Route(dialect, Target(server.url + "/api", token=TOKEN, model="m", provider="toy")))

    @asynccontextmanager
    async def opening() -> AsyncGenerator[Call, None]:
        async with Session() as session:
            yield Call([partial(plan, server) for server in servers], session)

    async with aclosing(stream(opening(), total=limits.total)) as events:
        async for event in events:
            yield event


async def all_of(events: AsyncGenerator[Event, None], into: list[Event] | None = None) -> list[Event]:
    out = [] if into is None else into
    async for event in events:
        out.append(event)
    return out


def images(events: Sequence[Event]) -> list[ImageResponse]:
    return [event for event in events if isinstance(event, ImageResponse)]


class Provider:
    """A queue of one: `polls` says what each poll gets, the last for ever."""

    def __init__(self, *polls: Callable[[Visit], Awaitable[None]]) -> None:
        self.polls = list(polls)
        self.seen: Counter[str] = Counter()
        self.polled = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        name = visit.path.removeprefix("/api/").partition("/")[0]
        self.seen[name] += 1
        match name:
            case "paint":
                await say(visit, {"stage": "queued", "position": 2}, {"follow": "/poll/1", "cancel": "/cancel/1"})
            case "poll":
                self.polled.set()
                await (self.polls.pop(0) if len(self.polls) > 1 else self.polls[0])(visit)
            case "cancel":
                self.cancelled.set()
                await say(visit)
            case _:
                await visit.answer(png(), "image/png")


async def running(visit: Visit) -> None:
    await say(visit, {"stage": "running"}, {"again": 0.01})


async def done(visit: Visit) -> None:
    await say(visit, b64(png()), "end")


async def never(visit: Visit) -> None:
    await visit.gone()


def failing(status: str, body: bytes = b'{"error":"oh"}', more: str = "") -> Callable[[Visit], Awaitable[None]]:
    async def fail(visit: Visit) -> None:
        await visit.answer(body, status=status, more=more)

    return fail


async def reset(visit: Visit) -> None:
    visit.writer.transport.abort()
    raise ConnectionResetError


async def test_a_job_is_polled_until_it_is_done_and_tells_how_it_goes() -> None:
    provider = Provider(running, running, done)
    async with serving(provider) as server:
        events = await all_of(paint(server))

    assert events[:-2] == [Progress("queued", position=2), Progress("running")]
    (image,) = images(events)
    assert (image.seed, image.width, image.height, image.prompt) == (7, 8, 8, "a fox")
    assert (image.provider, image.server, image.model) == ("toy", server.url, "m")
    assert events[-1] == FinishReason("stop", model="m", server=server.url, attempts=1)
    assert provider.seen == {"paint": 1, "poll": 3}


async def test_a_picture_that_lies_somewhere_is_fetched_at_once_and_without_the_token() -> None:
    async with serving(Provider(done)) as cdn:

        async def talk(visit: Visit) -> None:
            await say(visit, {"at": f"{cdn.url}/a.png", "seed": 3, "revised": "a red fox"}, "end")

        async with serving(talk) as server:
            events = await all_of(paint(server))
        (image,) = images(events)
        assert (image.source_url, image.seed, image.revised_prompt) == (f"{cdn.url}/a.png", 3, "a red fox")
        assert events[0] == Progress("fetching", "from 127.0.0.1")
        assert "authorization" not in cdn.visits[0].headers
        assert server.visits[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_data_url_is_read_where_it_stands() -> None:
    async def talk(visit: Visit) -> None:
        await say(visit, {"at": "data:image/jpeg;base64," + base64.b64encode(png()).decode()}, "end")

    async with serving(talk) as server:
        (image,) = images(await all_of(paint(server)))
    assert (image.media.media_type, image.source_url) == ("image/png", "")


@pytest.mark.parametrize("fault", [reset, failing("502 Bad"), failing("429 Slow", more="Retry-After: 0\r\n")])
async def test_a_poll_that_fails_is_repeated_and_the_request_is_not(fault: Callable[[Visit], Awaitable[None]]) -> None:
    provider = Provider(running, fault, done)
    async with serving(provider) as server:
        events = await all_of(paint(server))

    assert len(images(events)) == 1
    assert provider.seen["paint"] == 1
    assert Progress("running") in events


async def test_a_request_that_was_taken_is_not_sent_again_whatever_its_answer_says() -> None:
    async with serving(running) as server:
        with pytest.raises(ServerError, match="no job"):
            await all_of(paint(server))
        assert len(server.visits) == 1


async def test_a_request_that_was_taken_is_not_sent_again_when_its_answer_breaks_off() -> None:
    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event('[{"follow": "/poll/1"}]')
        await reset(visit)

    async with serving(talk) as server:
        with pytest.raises(HfgenError):
            await all_of(paint(server))
        assert len(server.visits) == 1


async def test_polls_that_fail_for_ever_end_with_their_error_and_one_request() -> None:
    provider = Provider(failing("500 Oh", b'{"error":"broken"}'))
    async with serving(provider) as server:
        with pytest.raises(ServerError, match="broken"):
            await all_of(paint(server))
    assert provider.seen["paint"] == 1
    assert 2 <= provider.seen["poll"] <= 6
    assert provider.cancelled.is_set()


async def test_a_job_that_failed_is_neither_repeated_nor_cancelled() -> None:
    async def failed(visit: Visit) -> None:
        await say(visit, {"failed": "out of memory"})

    provider = Provider(running, failed)
    async with serving(provider) as server:
        with pytest.raises(GenerationError, match="out of memory"):
            await all_of(paint(server))
    assert provider.seen == {"paint": 1, "poll": 2}


async def test_the_servers_own_wait_between_polls_wins() -> None:
    moments: list[float] = []

    async def slow(visit: Visit) -> None:
        moments.append(asyncio.get_running_loop().time())
        await say(visit, {"again": 9.0}, more="Retry-After-Ms: 80\r\n")

    async with serving(Provider(slow, slow, done)) as server:
        await all_of(paint(server))
    assert 0.07 <= moments[1] - moments[0] < 2


async def test_a_follow_up_never_goes_to_another_host() -> None:
    async with serving(Provider(done)) as other:

        async def talk(visit: Visit) -> None:
            await say(visit, {"follow": f"{other.url}/poll/1"})

        async with serving(talk) as server:
            with pytest.raises(BadPicture, match="another host"):
                await all_of(paint(server))
        assert other.visits == []


async def test_a_poll_is_not_redirected_to_another_host() -> None:
    async with serving(Provider(done)) as other:
        fault = failing("302 Found", more=f"Location: {other.url}/poll/1\r\n")
        async with serving(Provider(fault)) as server:
            with pytest.raises(ServerError, match="redirects"):
                await all_of(paint(server))
        assert other.visits == []


async def test_a_poll_that_never_ends_is_ended_by_the_deadline_and_the_job_cancelled() -> None:
    provider = Provider(running)
    async with serving(provider) as server:
        with pytest.raises(TimedOut, match="total time limit"):
            await all_of(paint(server, limits=Limits(total=0.4)))
    assert provider.cancelled.is_set()


async def test_a_poll_that_never_answers_is_ended_by_the_deadline() -> None:
    provider = Provider(never)
    async with serving(provider) as server:
        with pytest.raises(TimedOut, match="total time limit"):
            await all_of(paint(server, limits=Limits(total=0.3)))


async def test_leaving_cancels_the_job_at_the_server_and_leaves_no_task() -> None:
    provider = Provider(never)
    async with serving(provider) as server:
        before = asyncio.all_tasks()
        async with aclosing(paint(server)) as events:
            async for event in events:
                assert event == Progress("queued", position=2)
                break
        assert provider.cancelled.is_set()
        left = {task for task in asyncio.all_tasks() - before if "connection" not in repr(task.get_coro())}
        assert left == set()


async def test_a_task_that_is_cancelled_cancels_its_job() -> None:
    provider = Provider(never)
    async with serving(provider) as server:
        task = asyncio.create_task(all_of(paint(server)))
        await provider.polled.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert provider.cancelled.is_set()


async def test_a_server_that_does_not_hear_the_farewell_holds_nobody_up() -> None:
    async def talk(visit: Visit) -> None:
        if visit.path.endswith("/paint"):
            await say(visit, {"stage": "queued"}, {"follow": "/poll/1", "cancel": "/cancel/1"})
        else:
            await visit.gone()

    async with serving(talk) as server:
        start = asyncio.get_running_loop().time()
        async with aclosing(paint(server)) as events:
            await anext(events)
            await asyncio.sleep(0.05)
        assert asyncio.get_running_loop().time() - start < 3


async def test_a_model_that_is_loading_is_waited_for() -> None:
    loading = failing("503 Busy", b'{"error":"Model m is currently loading","estimated_time":0.05}')
    asked = 0

    async def talk(visit: Visit) -> None:
        nonlocal asked
        asked += 1
        await (loading(visit) if asked < 8 else done(visit))

    async with serving(talk) as server:
        events = await all_of(paint(server))
    assert isinstance(events[0], Progress)
    assert [event.stage for event in events if isinstance(event, Progress)] == ["loading"]
    assert isinstance(events[-1], FinishReason)
    assert events[-1].attempts == 8


async def test_a_model_that_loads_longer_than_the_deadline_is_said_at_once() -> None:
    loading = failing("503 Busy", b'{"error":"Model m is currently loading","estimated_time":300}')
    async with serving(loading) as server:
        with pytest.raises(ModelLoading):
            await all_of(paint(server, limits=Limits(total=5)))


async def test_four_pictures_are_four_requests_each_with_its_seed() -> None:
    seeds: list[int] = []
    at_once = most_at_once = 0

    async def talk(visit: Visit) -> None:
        nonlocal at_once, most_at_once
        at_once += 1
        most_at_once = max(at_once, most_at_once)
        seed = json.loads(visit.body)["seed"]
        seeds.append(seed)
        await asyncio.sleep(random.uniform(0.02, 0.05))
        at_once -= 1
        await say(visit, b64(png(shade=seed % 256)), {"tokens": 5}, "end")

    async with serving(talk) as server:
        events = await all_of(paint(server, seed=2**32 - 2, n=7))
    expected = [2**32 - 2, 2**32 - 1, 0, 1, 2, 3, 4]
    assert sorted(seeds) == sorted(expected)
    assert sorted(image.seed or 0 for image in images(events)) == sorted(expected)
    for image in images(events):
        assert image.media.data == png(shade=(image.seed or 0) % 256)
    assert most_at_once <= 4
    assert events[-2:] == [
        Usage(completion_tokens=35),
        FinishReason("stop", model="m", server=server.url, attempts=7),
    ]


async def test_a_dialect_that_makes_several_is_asked_once() -> None:
    counts: list[int] = []

    async def talk(visit: Visit) -> None:
        counts.append(n := json.loads(visit.body)["n"])
        await say(visit, *(b64(png(shade=shade)) for shade in range(n)), "end")

    async with serving(talk) as server:
        events = await all_of(paint(server, most=4, n=6))
    assert sorted(counts) == [2, 4]
    assert len(images(events)) == 6


async def test_what_a_server_makes_too_few_of_is_asked_for_one_by_one() -> None:
    """Some models make one picture, whatever number is asked for."""
    counts: list[int] = []

    async def talk(visit: Visit) -> None:
        counts.append(json.loads(visit.body)["n"])
        await say(visit, b64(png(shade=len(counts))), "end")

    async with serving(talk) as server:
        events = await all_of(paint(server, most=4, n=4))
    assert counts == [4, 1, 1, 1]
    assert len({image.media.data for image in images(events)}) == 4
    assert events[-1] == FinishReason("stop", model="m", server=server.url, attempts=4)


async def test_what_a_filter_withholds_is_not_asked_for_again() -> None:
    async def talk(visit: Visit) -> None:
        await say(visit, b64(png()), "withheld", "end")

    async with serving(talk) as server:
        events = await all_of(paint(server, most=4, n=2))
        assert len(server.visits) == 1
    assert events[-1] == FinishReason("content_filter", model="m", server=server.url)


async def test_several_requests_never_share_a_seed_of_extra_data() -> None:
    extra = {"input": {"seed": 3}}
    async with serving(done) as server:
        with pytest.raises(UsageError, match="same picture") as caught:
            await all_of(paint(server, n=2, seed=None, extra=extra))
        assert "seed=" in caught.value.hint
        assert server.visits == []
        events: list[Event] = []
        with pytest.raises(GenerationError, match=r"1 of 3 pictures came: .*one seed"):
            await all_of(paint(server, n=3, most=4, seed=None, extra=extra), events)
        assert len(server.visits) == len(images(events)) == 1


async def test_seeds_are_drawn_where_every_server_takes_one() -> None:
    async with serving(done) as server:
        drawn = {image.seed for image in images(await all_of(paint(server, seed=None, n=3)))}
        assert len(drawn - {None}) == 3
        assert {image.seed for image in images(await all_of(paint(server, seed=None, seeds=False)))} == {None}


async def test_one_that_fails_takes_no_picture_from_the_others() -> None:
    async def talk(visit: Visit) -> None:
        if json.loads(visit.body)["seed"] == 8:
            await say(visit, {"filtered": "not allowed here"})
        else:
            await asyncio.sleep(0.05)
            await done(visit)

    events: list[Event] = []
    async with serving(talk) as server:
        with pytest.raises(GenerationError, match="3 of 4 pictures came: not allowed here") as caught:
            await all_of(paint(server, n=4), events)
    assert len(images(events)) == 3
    assert isinstance(caught.value.__cause__, ContentFiltered)


async def test_a_refused_token_is_not_tried_for_each_picture() -> None:
    refuse = failing("401 No", b'{"error":"bad token"}')
    async with serving(refuse) as server:
        with pytest.raises(MissingAuth):
            await all_of(paint(server, n=40))
        assert len(server.visits) <= 8


async def test_another_endpoint_stands_in_as_long_as_none_has_taken_the_work() -> None:
    async with serving(failing("500 Oh")) as down, serving(done) as up:
        events = await all_of(paint(down, up))
        assert len(images(events)) == 1
        assert len(down.visits) == 1


async def test_another_endpoint_is_not_asked_once_the_work_is_taken() -> None:
    async with serving(Provider(failing("400 No", b'{"error":"gone wrong"}'))) as first, serving(done) as second:
        with pytest.raises(HfgenError, match="gone wrong"):
            await all_of(paint(first, second))
        assert second.visits == []


@pytest.mark.parametrize(
    ("data", "said"),
    [(png()[:-9], "cut"), (huge_png(50_000, 50_000), "50000 x 50000")],
    ids=["cut", "bomb"],
)
async def test_a_bad_picture_is_an_error_and_is_not_paid_for_again(data: bytes, said: str) -> None:
    async def talk(visit: Visit) -> None:
        await say(visit, b64(data), "end")

    async with serving(talk) as server:
        with pytest.raises(BadPicture, match=said):
            await all_of(paint(server))
        assert len(server.visits) == 1


async def test_a_picture_that_is_cut_leaves_the_others_of_its_answer() -> None:
    async def talk(visit: Visit) -> None:
        await say(visit, b64(png()), b64(png()[:-9]), b64(png(shade=1)), "end")

    events: list[Event] = []
    async with serving(talk) as server:
        with pytest.raises(GenerationError, match=r"2 of 3 pictures came: .*cut"):
            await all_of(paint(server, most=3, n=3), events)
        assert len(server.visits) == 1
    assert [image.media.data for image in images(events)] == [png(), png(shade=1)]


async def test_a_picture_at_a_bad_address_leaves_the_others() -> None:
    async def talk(visit: Visit) -> None:
        if visit.path.endswith("/paint"):
            await say(visit, {"at": "file:///etc/passwd"}, {"at": f"http://{visit.headers['host']}/b.png"}, "end")
        else:
            await visit.answer(png(), "image/png")

    events: list[Event] = []
    async with serving(talk) as server:
        with pytest.raises(GenerationError, match="'file'"):
            await all_of(paint(server, most=2, n=2), events)
    assert len(images(events)) == 1


async def test_a_job_without_a_deadline_has_one_all_the_same() -> None:
    provider = Provider(running)
    async with serving(provider) as server, Session() as session:
        route = Route(Dialect("toy", encode, decode, paints=True), Target(server.url + "/api", model="m"))
        terms = Terms(session, None, RetryBudget(), longest=0.3)
        with pytest.raises(TimedOut, match=r"not done within 0\.3 s") as caught:
            async with Jobs(Generation("m", prompt="a fox"), route, terms) as jobs:
                while await jobs.read():
                    pass
    assert "total_timeout" in caught.value.hint
    assert provider.cancelled.is_set()


async def test_an_answer_without_a_picture_is_an_error() -> None:
    async def talk(visit: Visit) -> None:
        await say(visit, "end")

    async with serving(talk) as server:
        with pytest.raises(ServerError, match="without a picture"):
            await all_of(paint(server))


async def test_a_text_stream_goes_on_while_twenty_jobs_are_polled_in_its_loop() -> None:
    """A call that blocks the loop would be an error here, as in every test (see `conftest.unblocked`)."""
    told = asyncio.Event()

    async def until_told(visit: Visit) -> None:
        await (done if told.is_set() else running)(visit)

    provider = Provider(until_told)

    async def talk(visit: Visit) -> None:
        if visit.path.startswith("/api/"):
            await provider(visit)
        elif visit.method == "GET":
            await visit.answer(b'{"data": [{"id": "m"}]}')
        else:
            await visit.begin_stream()
            for _ in range(100):
                await visit.event('{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}')
            await visit.event('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
            await visit.end_stream()

    async with serving(talk) as server:
        jobs = [asyncio.create_task(all_of(paint(server))) for _ in range(20)]
        await provider.polled.wait()
        conversation: Messages = [{"role": "user", "content": "x"}]
        events = await all_of(
            HuggingFaceInference.create_async_generator("m", conversation, api_base=f"{server.url}/v1")
        )
        assert not any(job.done() for job in jobs)
        told.set()
        pictures = [images(await job) for job in jobs]
    assert sum(event == "a" for event in events) == 100
    assert [len(each) for each in pictures] == [1] * 20
