"""However a call is left, its connection closes at once and nothing of it stays behind."""

import asyncio
import contextlib
import gc
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import hfgen
from certificates import make_certificates
from hfgen import HuggingFaceInference
from hfgen.errors import HfgenError, SessionClosed, TimedOut, UsageError
from hfgen.events import Event
from hfgen.limits import Limits
from hfgen.transport import connections
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest
from loopback import Server, Visit, serving, soon

_PACKAGE = Path(hfgen.__file__).parent

PHASES = ["before the head", "before the first event", "in the stream"]
DELTA = '{"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}'
END = '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
MODELS = b'{"object":"list","data":[{"id":"m","owned_by":"me"}]}'


def post(url: str, path: str = "/") -> WireRequest:
    return WireRequest(url + path, b"{}", headers={"Content-Type": "application/json"})


class Staller:
    """Goes to a phase and stays there until the client is gone; a path of its own answers whole."""

    def __init__(self, phase: str) -> None:
        self.phase = phase
        self.reached = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(MODELS if visit.path == "/v1/models" else b"", status="200 OK")
            return
        if self.phase == "whole":
            await visit.begin_stream()
            for data in (DELTA, END, "[DONE]"):
                await visit.event(data)
            await visit.end_stream()
            return
        if self.phase != "before the head":
            await visit.begin_stream()
        if self.phase == "in the stream":
            await visit.event(DELTA)
        self.reached.set()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await visit.gone()
        self.gone.set()
        raise ConnectionResetError  # ends the connection's task


@asynccontextmanager
async def stalling(phase: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Staller, Server]]:
    staller = Staller(phase)
    async with serving(staller, tls=tls) as server:
        yield staller, server


async def read_all(session: Session, url: str, limits: Limits, got: asyncio.Event | None = None) -> None:
    async with session.open(post(url), Target(url), limits) as answer:
        while await answer.read():
            if got is not None:
                got.set()


async def seen(staller: Staller) -> None:
    await soon(staller.gone, 100)
    staller.gone.clear()
    staller.reached.clear()


def ours() -> set[str]:
    """The tasks that are neither a test's nor a server's."""
    shown = map(repr, asyncio.all_tasks())
    return {task for task in shown if f"{_PACKAGE}/" in task or "aiohttp" in task}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("how", ["cancel", "timeout"])
async def test_the_server_sees_the_end_within_100_ms_200_times_of_200_and_50_calls_still_work(
    phase: str, how: str
) -> None:
    limits = Limits(first_token=0.03, idle=0.03) if how == "timeout" else Limits()
    async with stalling(phase) as (staller, server), Session() as session:
        for _ in range(200 if how == "cancel" else 50):
            got = asyncio.Event()
            task = asyncio.ensure_future(read_all(session, server.url, limits, got))
            await staller.reached.wait()
            if phase == "in the stream":
                await got.wait()
            if how == "cancel":
                task.cancel()
            else:
                with pytest.raises(TimedOut):
                    await task
            await seen(staller)
            with contextlib.suppress(asyncio.CancelledError, TimedOut):
                await task
        assert ours() == set()
        staller.phase = "whole"
        for _ in range(50):
            await read_all(session, server.url, Limits())
        assert ours() == set()
    gc.collect()  # a warning of something unclosed would fail the test


@pytest.mark.parametrize("phase", PHASES)
async def test_over_tls_too_nobody_waits_for_a_farewell(
    phase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", certificates.authority)
    connections.tls.cache_clear()
    try:
        async with stalling(phase, certificates.server()) as (staller, server), Session() as session:
            for _ in range(10):
                task = asyncio.ensure_future(read_all(session, server.url, Limits()))
                await staller.reached.wait()
                task.cancel()
                await seen(staller)
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            staller.phase = "whole"
            await read_all(session, server.url, Limits())
    finally:
        connections.tls.cache_clear()


async def first_word(url: str, session: Session | None, *, collect: bool) -> None:
    """Read one word and drop the generator, with or without closing it."""
    events = HuggingFaceInference.create_async_generator(
        "m", [{"role": "user", "content": "x"}], api_base=url, session=session
    )
    async for event in events:
        if isinstance(event, str):
            break
    if not collect:
        await events.aclose()


@pytest.mark.parametrize("shared", [True, False], ids=["a session", "no session"])
@pytest.mark.parametrize("collect", [True, False], ids=["dropped", "aclose"])
async def test_a_generator_that_is_left_closes_its_connection(shared: bool, collect: bool) -> None:
    async with stalling("in the stream") as (staller, server), Session() as session:
        for _ in range(50):
            await first_word(server.url, session if shared else None, collect=collect)
            await seen(staller)
        staller.phase = "whole"
        events: list[Event] = [
            event
            async for event in HuggingFaceInference.create_async_generator(
                "m", [{"role": "user", "content": "x"}], api_base=server.url, session=session
            )
        ]
        assert "".join(event for event in events if isinstance(event, str)) == "word "
        assert ours() == set()
    gc.collect()


async def test_an_answer_that_was_read_leaves_nothing_to_the_garbage_collector() -> None:
    """What has no cycle is gone at once, and no call pays for looking."""

    async with stalling("whole") as (_, server), Session() as session:
        await read_all(session, server.url, Limits())
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(5):
                async for _ in HuggingFaceInference.create_async_generator(
                    "m", [{"role": "user", "content": "Hi"}], api_base=server.url, session=session
                ):
                    pass
            gc.collect()
            ours = [type(each) for each in gc.garbage if type(each).__module__.startswith("hfgen.")]
            assert ours == []
        finally:
            gc.set_debug(0)
            gc.garbage.clear()


@pytest.mark.parametrize("phase", PHASES)
async def test_closing_the_session_ends_what_is_under_way_and_it_can_be_used_again(phase: str) -> None:
    async with stalling(phase) as (staller, server):
        session = Session()
        calls = [asyncio.ensure_future(read_all(session, server.url, Limits())) for _ in range(5)]
        await staller.reached.wait()
        await session.close()
        async with asyncio.timeout(10):
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [SessionClosed] * 5
        assert "the session was closed" in str(outcomes[0])
        staller.phase = "whole"
        async with session:
            await read_all(session, server.url, Limits())


async def test_closing_the_session_ends_a_wait_before_sending() -> None:
    session = Session()
    request = WireRequest("http://127.0.0.1:9/", delay=60)
    call = asyncio.ensure_future(session.fetch(request, Target("http://127.0.0.1:9")))
    await asyncio.sleep(0)
    await session.close()
    with pytest.raises(SessionClosed):
        await call


async def test_a_session_in_use_in_another_loop_is_a_usage_error_and_can_be_closed_from_here() -> None:
    async with stalling("whole") as (_, server), Session() as session:
        await read_all(session, server.url, Limits())
        caught: list[BaseException] = []

        def elsewhere() -> None:
            try:
                asyncio.run(session.fetch(post(server.url), Target(server.url)))
            except HfgenError as error:
                caught.append(error)
            asyncio.run(session.close())

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert isinstance(caught[0], UsageError)
        assert "another event loop" in str(caught[0])
        await read_all(session, server.url, Limits())


def test_a_session_whose_loop_has_ended_works_in_the_next() -> None:
    session = Session()

    async def once() -> None:
        async with stalling("whole") as (_, server):
            await read_all(session, server.url, Limits())

    for _ in range(3):
        asyncio.run(once())
    asyncio.run(session.close())
    gc.collect()
