"""What a caller needs who schedules many calls itself: nothing repeated unasked, a name for each, every head heard."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hfgen import (
    ConnectionFailed,
    FinishReason,
    GenerationError,
    HuggingFaceInference,
    RateLimited,
    Session,
    UsageError,
)
from hfgen.events import Event
from hfgen.wire import Head
from loopback import Visit, serving
from pictures import png

MODELS = b'{"data":[{"id":"m","owned_by":"me"}]}'
VLLM = b'{"data":[{"id":"m","owned_by":"vllm"}]}'
ASK: list[Any] = [{"role": "user", "content": "Hello"}]
PICTURE: dict[str, Any] = {"api_key": "hf_for_tests_only_xyz", "mode": "image"}

Talk = Callable[[Visit], Awaitable[None]]


def chunk(text: str, finish: str = "null") -> str:
    return f'{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":{finish}}}]}}'


async def well(visit: Visit) -> None:
    await visit.begin_stream()
    await visit.event(chunk("Hello you.", '"stop"'))
    await visit.end_stream()


async def cut(visit: Visit) -> None:
    await visit.begin_stream()
    await visit.event(chunk("Hello"))
    visit.writer.close()


async def rest(visit: Visit) -> None:
    await visit.begin_stream()
    await visit.event(chunk(" you.", '"stop"'))
    await visit.end_stream()


async def busy(visit: Visit) -> None:
    more = "Retry-After: 0\r\nX-RateLimit-Limit-Requests: 60\r\n"
    await visit.answer(b'{"error":"slow down"}', status="429 Slow", more=more)


class Server:
    """Answers the requests one after another, the last way for good."""

    def __init__(self, *answers: Talk, listing: bytes = MODELS) -> None:
        self.answers = list(answers)
        self.listing = listing
        self.asked: list[dict[str, str]] = []

    async def __call__(self, visit: Visit) -> None:
        if visit.method == "GET":
            known = visit.path == "/v1/models"
            await visit.answer(self.listing if known else b"", status="200 OK" if known else "404 Not Found")
            return
        self.asked.append(visit.headers)
        await (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(visit)


async def ask(base: Any, session: Session | None = None, **options: Any) -> list[Event]:
    options = {"retry": False, **options}
    answer = HuggingFaceInference.create_async_generator("m", ASK, api_base=base, session=session, **options)
    return [event async for event in answer]


def text_of(events: list[Event]) -> str:
    return "".join(event for event in events if isinstance(event, str))


async def test_without_retry_a_refusal_is_the_callers_at_once() -> None:
    server = Server(busy, well)
    async with serving(server) as there:
        with pytest.raises(RateLimited) as caught:
            await ask(there.url)

        assert len(server.asked) == 1
        assert (caught.value.retry_after, caught.value.attempts) == (0, 1)
        assert there.url in caught.value.server
        assert text_of(await ask(there.url, retry=True)) == "Hello you."


async def test_without_retry_a_server_that_is_down_is_asked_once() -> None:
    async with serving(Server(well)) as there:
        down = there.url
    async with asyncio.timeout(2):
        with pytest.raises(ConnectionFailed) as caught:
            await ask(down)
    assert (caught.value.attempts, caught.value.server) == (1, down)


async def test_without_retry_another_endpoint_still_stands_in() -> None:
    first, second = Server(busy), Server(well)
    async with serving(first) as one, serving(second) as other:
        assert text_of(await ask([one.url, other.url])) == "Hello you."
        assert len(first.asked) == len(second.asked) == 1

        second.answers[:] = [busy]
        with pytest.raises(RateLimited):
            await ask([one.url, other.url])
        assert (len(first.asked), len(second.asked)) == (2, 2)


async def test_without_retry_a_stream_that_broke_still_goes_on_and_names_no_other_body() -> None:
    server = Server(cut, busy, rest, listing=VLLM)
    async with serving(server) as there:
        events = await ask(there.url, idempotency_key="run/1")

    assert text_of(events) == "Hello you."
    assert isinstance(events[-1], FinishReason)
    assert events[-1].resumed >= 1
    names = [headers.get("idempotency-key") for headers in server.asked]
    assert names[0] == "run/1"
    assert len(names) > 2
    assert set(names[1:]) == {None}


async def test_a_repeat_has_the_name_of_the_call() -> None:
    server = Server(busy, well)
    async with serving(server) as there:
        await ask(there.url, retry=True, idempotency_key="run/row 7")
    assert [headers["idempotency-key"] for headers in server.asked] == ["run/row 7"] * 2


async def test_a_call_without_a_name_sends_none() -> None:
    server = Server(well)
    async with serving(server) as there:
        await ask(there.url)
    assert "idempotency-key" not in server.asked[0]


@pytest.mark.parametrize("key", ["é", "a\nb", "a\x00", "x" * 256, " a", "a "])
def test_a_name_that_no_header_can_hold_is_refused_before_any_io(key: str) -> None:
    with pytest.raises(UsageError, match="idempotency_key"):
        HuggingFaceInference.create_async_generator("m", ASK, idempotency_key=key)


async def test_without_retry_a_picture_is_asked_for_once() -> None:
    server = Server(busy)
    async with serving(server) as there:
        with pytest.raises(RateLimited):
            await ask(f"{there.url}/v1/images/generations", **PICTURE)
    assert len(server.asked) == 1


async def test_of_several_requests_for_pictures_one_has_the_name() -> None:
    async def paint(visit: Visit) -> None:
        await visit.answer(png(), "image/png")

    server = Server(paint)
    async with serving(server) as there:
        await ask(f"{there.url}/models/m", n=3, idempotency_key="run/1", **PICTURE)
    names = [headers.get("idempotency-key", "") for headers in server.asked]
    assert sorted(names) == ["", "", "run/1"]


async def test_the_error_after_some_of_the_pictures_says_how_long_to_wait() -> None:
    async def paint(visit: Visit) -> None:
        await visit.answer(png(), "image/png")

    async def full(visit: Visit) -> None:
        await visit.answer(b'{"error":"slow down"}', status="429 Slow", more="Retry-After: 7\r\n")

    async with serving(Server(paint, full)) as there:
        with pytest.raises(GenerationError) as caught:
            await ask(f"{there.url}/models/m", n=2, **PICTURE)
    assert caught.value.retry_after == 7


async def test_the_head_of_each_answer_is_heard_errors_too() -> None:
    heads: list[Head] = []
    async with serving(Server(busy, well)) as there, Session(heard=heads.append) as session:
        with pytest.raises(RateLimited):
            await ask(there.url, session)
        await ask(there.url, session)

    told = [(head.origin, head.status) for head in heads if head.model]
    assert told == [(there.url, 429), (there.url, 200)]
    limits = [head.headers.get("x-ratelimit-limit-requests") for head in heads if head.model]
    assert limits == ["60", None]


async def test_whoever_hears_a_head_may_raise_and_no_connection_is_left() -> None:
    def heard(head: Head) -> None:
        if head.model:
            raise LookupError(head.origin)

    async with serving(Server(well)) as there, Session(heard=heard) as session:
        with pytest.raises(LookupError):
            await ask(there.url, session)
