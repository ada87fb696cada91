"""The door to the network, against real sockets."""

import asyncio
import gc

import pytest

from hfgen.errors import ConnectionFailed, HfgenError, RateLimited, ServerError, TimedOut, UsageError
from hfgen.limits import Limits
from hfgen.transport.session import Session
from hfgen.wire import Body, Frame, Target, WireRequest
from loopback import Visit, serving, soon


def post(url: str, path: str = "/") -> WireRequest:
    return WireRequest(url + path, b"{}", headers={"Content-Type": "application/json"})


async def frames_of(url: str, limits: Limits | None = None, token: str | None = None) -> list[Frame]:
    out: list[Frame] = []
    target = Target(url, token=token)
    async with Session() as session, session.open(post(url), target, limits or Limits()) as answer:
        while frames := await answer.read():
            out.extend(frames)
    return out


async def test_events_come_as_their_data() -> None:
    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        for word in ("a", "b", "[DONE]"):
            await visit.event(word)
        await visit.end_stream()

    async with serving(talk) as server:
        assert await frames_of(server.url, token="hf_secret_secret_1") == [b"a", b"b", b"[DONE]"]
        assert server.visits[0].headers["authorization"] == "Bearer hf_secret_secret_1"
        assert server.visits[0].headers["accept-encoding"] == "identity"
        assert server.visits[0].headers["user-agent"].startswith("hfgen/")


async def test_what_is_no_stream_comes_as_one_body() -> None:
    async def talk(visit: Visit) -> None:
        await visit.answer(b'{"x": 1}', "application/json; charset=utf-8")

    async with serving(talk) as server:
        assert await frames_of(server.url) == [Body("application/json", b'{"x": 1}')]


async def test_an_error_status_is_an_error_with_the_servers_words() -> None:
    async def talk(visit: Visit) -> None:
        await visit.answer(b'{"error":"slow down"}', status="429 Too Many", more="Retry-After: 7\r\n")

    async with serving(talk) as server:
        with pytest.raises(RateLimited, match="slow down") as caught:
            await frames_of(server.url)
        assert caught.value.retry_after == 7


async def test_a_connection_serves_many_calls() -> None:
    ports: set[int] = set()

    async def talk(visit: Visit) -> None:
        ports.add(visit.writer.get_extra_info("peername")[1])
        await visit.answer(b"{}")

    async with serving(talk) as server, Session() as session:
        for _ in range(5):
            await session.fetch(post(server.url), Target(server.url))
    assert len(ports) == 1


@pytest.mark.parametrize("leave", ["break", "cancel", "error"])
async def test_leaving_early_closes_the_connection_at_once(leave: str) -> None:
    seen = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event("first")
        await visit.gone()
        seen.set()

    async def read(url: str, started: asyncio.Event) -> None:
        async with Session() as session, session.open(post(url), Target(url), Limits()) as answer:
            await answer.read()
            started.set()
            if leave == "break":
                return
            if leave == "error":
                raise LookupError
            await answer.read()

    async with serving(talk) as server:
        started = asyncio.Event()
        task = asyncio.ensure_future(read(server.url, started))
        await started.wait()
        if leave == "cancel":
            task.cancel()
        await soon(seen, 250)
        await asyncio.gather(task, return_exceptions=True)


async def test_silence_before_the_first_event_is_timed() -> None:
    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.gone()

    async with serving(talk) as server:
        with pytest.raises(TimedOut, match=r"begin its answer within 0\.1 s"):
            await frames_of(server.url, Limits(first_token=0.1))


async def test_silence_before_the_head_is_timed() -> None:
    async with serving(Visit.gone) as server:
        with pytest.raises(TimedOut, match="did not begin to answer"):
            await frames_of(server.url, Limits(first_token=0.1))


async def test_silence_between_events_is_timed_and_a_slow_stream_lives() -> None:
    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        for _ in range(6):
            await visit.event("tick")
            await asyncio.sleep(0.08)
        await visit.gone()

    got: list[Frame] = []
    async with serving(talk) as server, Session() as session:
        with pytest.raises(TimedOut, match=r"go on with its answer within 0\.2 s"):
            async with session.open(post(server.url), Target(server.url), Limits(idle=0.2)) as answer:
                while frames := await answer.read():
                    got.extend(frames)
    assert got == [b"tick"] * 6


async def test_comments_are_life_for_twice_the_limit_and_no_longer() -> None:
    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        while True:
            await visit.say(b"8\r\n: ping\n\n\r\n")
            await asyncio.sleep(0.02)

    loop = asyncio.get_running_loop()
    async with serving(talk) as server:
        began = loop.time()
        with pytest.raises(TimedOut):
            await frames_of(server.url, Limits(first_token=0.15))
        assert 0.15 < loop.time() - began < 1.0


async def test_a_body_that_breaks_off_gives_what_came_and_then_the_error() -> None:
    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event("one")
        visit.writer.transport.abort()

    got: list[Frame] = []
    async with serving(talk) as server, Session() as session:
        with pytest.raises(ConnectionFailed):
            async with session.open(post(server.url), Target(server.url), Limits()) as answer:
                while frames := await answer.read():
                    got.extend(frames)
    assert got == [b"one"]


async def test_nobody_there_and_no_such_name_are_told_apart() -> None:
    with pytest.raises(ConnectionFailed, match="no connection"):
        await frames_of("http://127.0.0.1:9")
    with pytest.raises(ConnectionFailed):
        await frames_of("http://no-such-host.invalid")


async def test_a_stale_connection_is_replaced_without_a_word() -> None:
    first = True

    async def talk(visit: Visit) -> None:
        nonlocal first
        await visit.answer(b"{}")
        if first:
            first = False
            visit.writer.close()

    async with serving(talk) as server, Session() as session:
        for _ in range(3):
            assert (await session.fetch(WireRequest(server.url + "/", method="GET"), Target(server.url))).data == b"{}"


async def test_a_token_does_not_follow_a_redirect_to_another_origin() -> None:
    async with serving(lambda visit: visit.answer(b"{}")) as other:

        async def talk(visit: Visit) -> None:
            await visit.answer(b"", status="307 Go", more=f"Location: {other.url}/x\r\n")

        async with serving(talk) as server, Session() as session:
            target = Target(server.url, token="hf_secret_secret_2")
            with pytest.raises(ServerError, match=r"redirects to 127\.0\.0\.1"):
                await session.fetch(post(server.url), target)
            assert not other.visits
            await session.fetch(WireRequest(server.url + "/", method="GET"), target)
            assert "authorization" not in other.visits[0].headers


async def test_a_token_follows_a_redirect_within_its_origin_and_a_circle_ends() -> None:
    async def talk(visit: Visit) -> None:
        if visit.path == "/new":
            await visit.answer(b"{}")
        elif visit.path == "/circle":
            await visit.answer(b"", status="307 Go", more="Location: /circle\r\n")
        else:
            await visit.answer(b"", status="308 Go", more="Location: /new\r\n")

    async with serving(talk) as server, Session() as session:
        target = Target(server.url, token="hf_secret_secret_3")
        await session.fetch(post(server.url), target)
        assert server.visits[-1].headers["authorization"] == "Bearer hf_secret_secret_3"
        assert server.visits[-1].body == b"{}"
        before = len(server.visits)
        with pytest.raises(ServerError, match="circle") as caught:
            await session.fetch(post(server.url, "/circle"), target)
        assert caught.value.status == 307  # which nobody tries again
        assert len(server.visits) - before == 4


async def test_an_http_proxy_is_used_and_the_environments_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(lambda visit: visit.answer(b'"via proxy"')) as proxy:
        async with Session(proxy=proxy.url) as session:
            body = await session.fetch(post("http://server.test"), Target("http://server.test"))
        assert body.data == b'"via proxy"'
        assert proxy.visits[0].path == "http://server.test/"
        monkeypatch.setenv("http_proxy", proxy.url)
        async with Session() as session:
            await session.fetch(post("http://server.test"), Target("http://server.test"))
        assert len(proxy.visits) == 2
        monkeypatch.setenv("no_proxy", "server.test")
        async with Session() as session:
            with pytest.raises(HfgenError):
                await session.fetch(post("http://server.test"), Target("http://server.test"))
        assert len(proxy.visits) == 2


def test_a_proxy_that_is_none_is_refused_before_any_io() -> None:
    with pytest.raises(UsageError, match="no URL of a proxy"):
        Session(proxy="ftp://user:secretsecret@host")


async def test_a_body_beyond_the_bound_is_not_kept() -> None:
    async with serving(lambda visit: visit.answer(b"x" * 5000)) as server, Session() as session:
        with pytest.raises(ServerError, match="larger than 1000"):
            await session.fetch(post(server.url), Target(server.url), most=1000)


async def test_nothing_is_left_behind() -> None:
    async with serving(lambda visit: visit.answer(b"{}")) as server:
        before = asyncio.all_tasks()
        await frames_of(server.url)
        gc.collect()
        assert {task for task in asyncio.all_tasks() - before if "connection" not in repr(task)} == set()


async def test_a_plain_socket_is_read_in_buffers_that_are_not_mapped_anew_each_time() -> None:
    async with (
        serving(lambda visit: visit.begin_stream()) as server,
        Session() as session,
        session.open(post(server.url), Target(server.url), Limits()) as answer,
    ):
        protocol = answer._incoming._content._protocol
        assert protocol.transport.max_size == 65536  # type: ignore[union-attr]
