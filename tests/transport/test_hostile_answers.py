"""Whatever comes over the wire, what goes to the caller is an answer or an error of ours."""

import asyncio
import contextlib
import gzip
import resource
import socket
import struct
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from certificates import make_certificates
from hfgen.errors import ConnectionFailed, HfgenError, ResponseError, ServerError, TimedOut
from hfgen.limits import Limits
from hfgen.transport import connections
from hfgen.transport.retry import retryable
from hfgen.transport.session import Session
from hfgen.wire import Body, Frame, Target, WireRequest
from loopback import Talk, Visit, serving

SSE = b"data: one\n\ndata: two\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def post(url: str, path: str = "/") -> WireRequest:
    return WireRequest(url + path, b"{}", headers={"Content-Type": "application/json"})


async def frames_of(url: str, limits: Limits | None = None) -> list[Frame]:
    out: list[Frame] = []
    async with Session() as session, session.open(post(url), Target(url), limits or Limits()) as answer:
        while frames := await answer.read():
            out.extend(frames)
    return out


def saying(*chunks: bytes, then: str = "close") -> Talk:
    async def talk(visit: Visit) -> None:
        with contextlib.suppress(ConnectionError):
            await visit.say(*chunks)
        if then == "reset":
            reset(visit)
        else:
            visit.writer.close()

    return talk


def reset(visit: Visit) -> None:
    connection: socket.socket = visit.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    visit.writer.transport.abort()


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = {
    "a garbled status line": [b"HTP/9 lol\r\n\r\n"],
    "a banner of another protocol": [b"SSH-2.0-OpenSSH_9.6\r\n"],
    "HTTP/0.9": [b"<html>hello</html>"],
    "zeros": [b"\0" * 100_000],
    "1 MiB of headers": [b"HTTP/1.1 200 OK\r\n", *(b"X-A: " + b"a" * 4000 + b"\r\n" for _ in range(260))],
    "one endless header": [b"HTTP/1.1 200 OK\r\nX-A: ", *(b"a" * 65536 for _ in range(16))],
    "half a head": [b"HTTP/1.1 200 OK\r\nContent-Ty"],
    "nothing": [],
    "a broken chunk size": [CHUNKED + b"zz\r\ndata: one\n\n\r\n"],
    "a negative chunk size": [CHUNKED + b"-5\r\ndata: one\n\n\r\n"],
    "a chunk without its end": [CHUNKED + b"b\r\ndata: one\n\nXX5\r\n"],
    "a chunked body cut off": [CHUNKED + b"b\r\ndata: one\n\n\r\n40\r\ndata: tw"],
    "a body shorter than it says": [HEAD + b"Content-Length: 100\r\n\r\ndata: one\n\n"],
    "a length that is none": [HEAD + b"Content-Length: many\r\n\r\ndata: one\n\n"],
    "a negative length": [HEAD + b"Content-Length: -1\r\n\r\n"],
    "two lengths": [HEAD + b"Content-Length: 5\r\nContent-Length: 11\r\n\r\ndata: one\n\n"],
    "a header that is none": [b"HTTP/1.1 200 OK\r\n\xff\xfe\r\n\r\n"],
    "switching protocols": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxxxx"],
    "only provisional answers": [b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3],
    "not modified": [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
    "a broken compression": [HEAD + b"Content-Encoding: gzip\r\n\r\n", b"this is no gzip at all"],
    "a cut compression": [HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(SSE * 100)[:20]],
    "a coding that nobody knows": [HEAD + b"Content-Encoding: zstd\r\n\r\n", b"\x28\xb5\x2f\xfd"],
    "a redirect to no address": [b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\nContent-Length: 0\r\n\r\n"],
    "a redirect to another protocol": [b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"],
    "a redirect without an address": [b"HTTP/1.1 307 Go\r\nContent-Length: 0\r\n\r\n"],
}


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_is_an_error_of_ours(name: str, then: str) -> None:
    async with serving(saying(*BROKEN[name], then=then)) as server:
        async with asyncio.timeout(5):
            with pytest.raises((ConnectionFailed, ResponseError)) as caught:
                await frames_of(server.url, Limits(first_token=2.0, idle=2.0))
        assert not any("aiohttp" in part for part in (str(caught.value), repr(caught.value)))


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_get_meets_the_same_as_a_post(method: str) -> None:
    for chunks in BROKEN.values():
        async with serving(saying(*chunks)) as server, Session() as session:
            request = WireRequest(server.url + "/", method="GET" if method == "GET" else "POST")
            with contextlib.suppress(HfgenError):
                await session.fetch(request, Target(server.url), Limits(first_token=2.0, idle=2.0))


async def test_a_body_longer_than_it_says_is_cut_where_it_says_and_the_next_call_works() -> None:
    async with serving(saying(HEAD + b"Content-Length: 11\r\n\r\ndata: one\n\nHTTP/1.1 999 extra")) as server:
        assert await frames_of(server.url) == [b"one"]
        assert await frames_of(server.url) == [b"one"]


async def test_provisional_answers_before_the_answer_are_skipped() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    async with serving(saying(early + HEAD + b"\r\n" + SSE)) as server:
        assert await frames_of(server.url) == [b"one", b"two"]


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content"])
async def test_a_success_without_content_is_an_empty_body(status: str) -> None:
    async with serving(lambda visit: visit.say(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())) as server:
        async with asyncio.timeout(10):
            assert await frames_of(server.url) == [Body("", b"")]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/json\r\n",
        "Content-Type: application/octet-stream\r\n",
    ],
)
@pytest.mark.parametrize("first", [b"", b": ping\n\n", b"\xef\xbb\xbf", b"\n", b"event: message\n", b"id: 1\n"])
async def test_a_stream_under_another_header_is_a_stream_all_the_same(header: str, first: bytes) -> None:
    whole = first + SSE

    async def talk(visit: Visit) -> None:
        await visit.say(f"HTTP/1.1 200 OK\r\n{header}Transfer-Encoding: chunked\r\n\r\n".encode())
        for byte in whole:
            await visit.say(b"1\r\n" + bytes([byte]) + b"\r\n")
        await visit.end_stream()

    async with serving(talk) as server:
        assert await frames_of(server.url) == [b"one", b"two"]


async def test_a_charset_in_the_header_changes_nothing() -> None:
    event = "data: é\n\n".encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=latin-1\r\n\r\n"
    async with serving(saying(head + event)) as server:
        assert await frames_of(server.url) == ["é".encode()]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"error":"full"}', "application/json"),
        (b"\r\n <!doctype html><html>", "text/html"),
        (b"{}", "application/json"),
    ],
)
async def test_an_error_under_the_header_of_a_stream_is_a_body(body: bytes, kind: str) -> None:
    async with serving(saying(HEAD + b"\r\n" + body)) as server:
        assert await frames_of(server.url) == [Body(kind, body)]


async def test_an_empty_stream_has_no_frames() -> None:
    async with serving(saying(HEAD + b"Content-Length: 0\r\n\r\n")) as server:
        assert await frames_of(server.url) == []


@pytest.mark.parametrize("name", ["gzip", "deflate", "x-gzip", "GZIP"])
async def test_a_compressed_stream_is_undone_as_it_comes(name: str) -> None:
    squeeze = zlib.compressobj(wbits=15 if name == "deflate" else 31)
    arrived = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.say(HEAD + f"Content-Encoding: {name}\r\n\r\n".encode())
        await visit.say(squeeze.compress(b"data: one\n\n") + squeeze.flush(zlib.Z_SYNC_FLUSH))
        await arrived.wait()  # the first event must not wait for the second
        await visit.say(squeeze.compress(b"data: two\n\n") + squeeze.flush())
        visit.writer.close()

    async with (
        serving(talk) as server,
        Session() as session,
        session.open(post(server.url), Target(server.url), Limits(first_token=5.0)) as answer,
    ):
        assert await answer.read() == [b"one"]
        arrived.set()
        assert await answer.read() == [b"two"]
        assert await answer.read() == ()


async def test_deflate_without_zlibs_header_is_undone_too() -> None:
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = bare.compress(SSE) + bare.flush()
    head = HEAD + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(data)
    async with serving(saying(head, *(bytes([byte]) for byte in data))) as server:
        assert await frames_of(server.url) == [b"one", b"two"]


@pytest.mark.parametrize(("status", "again"), [(520, True), (524, True), (507, True), (501, False), (511, False)])
async def test_a_failure_of_the_server_passes_but_for_what_it_cannot_do(status: int, *, again: bool) -> None:
    async with serving(saying(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)) as server:
        with pytest.raises(ServerError) as caught:
            await frames_of(server.url)
        assert retryable(caught.value) == again


async def test_a_compressed_error_keeps_the_servers_words() -> None:
    words = gzip.compress(b'{"error":"the GPU is on fire"}')
    async with serving(lambda visit: visit.answer(words, status="500 No", more="Content-Encoding: gzip\r\n")) as server:
        with pytest.raises(ServerError, match="the GPU is on fire"):
            await frames_of(server.url)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
async def test_a_bomb_fills_no_memory_and_holds_nothing_up(kind: str) -> None:
    """1 GiB of blanks in 1 MiB."""
    squeeze = zlib.compressobj(9, wbits=31)
    bomb = squeeze.compress(b"data: ") + b"".join(squeeze.compress(b"x" * 2**20) for _ in range(256)) + squeeze.flush()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Encoding: gzip\r\n\r\n".encode()
    before = resident()
    async with serving(saying(head + bomb)) as server, watched_loop() as gaps:
        with pytest.raises(ServerError, match=r"more than|larger than"):
            await frames_of(server.url)
    assert resident() - before < 2**20 * 100
    assert max(gaps) < 0.25  # one gap alone is the machine's; see test_cost for the figure


@contextlib.asynccontextmanager
async def watched_loop() -> AsyncIterator[list[float]]:
    """The longest times that the loop did not come round."""
    gaps = [0.0]

    async def watch() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    task = asyncio.ensure_future(watch())
    try:
        yield gaps
    finally:
        task.cancel()


async def test_a_redirect_that_circles_is_not_tried_again() -> None:
    async def talk(visit: Visit) -> None:
        await visit.answer(b"", status="307 Go", more="Location: /\r\n")

    async with serving(talk) as server:
        with pytest.raises(ServerError) as caught:
            await frames_of(server.url)
        assert not retryable(caught.value)
        assert len(server.visits) == 4


@pytest.mark.parametrize("first", ["before the head", "after the head", "in the stream"])
async def test_a_reset_at_every_phase_is_a_failed_connection(first: str) -> None:
    async def talk(visit: Visit) -> None:
        if first != "before the head":
            await visit.begin_stream()
        if first == "in the stream":
            await visit.event("one")
        reset(visit)

    async with serving(talk) as server:
        with pytest.raises(ConnectionFailed):
            await frames_of(server.url)


async def test_what_came_before_a_reset_is_read_however_late_the_reader_is() -> None:
    gone = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.begin_stream()
        await visit.event("one")
        await visit.event("two")
        await visit.event("[DONE]")
        reset(visit)
        gone.set()

    async with serving(talk) as server, Session() as session:
        got: list[Frame] = []
        with pytest.raises(ConnectionFailed):
            async with session.open(post(server.url), Target(server.url), Limits()) as answer:
                await gone.wait()
                for _ in range(5):
                    await asyncio.sleep(0)
                while frames := await answer.read():
                    got.extend(frames)
        assert got == [b"one", b"two", b"[DONE]"]


async def test_an_ipv6_literal_is_an_address() -> None:
    try:
        listener = await asyncio.start_server(answer_v6, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with listener, Session() as session:
        url = f"http://[::1]:{listener.sockets[0].getsockname()[1]}"
        assert (await session.fetch(post(url), Target(url))).data == b"{}"


async def answer_v6(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("url", ["http://", "http://:80", "http://a b/", "http://[::1", "nonsense", "http://\x00/"])
async def test_an_address_that_is_none_is_an_error_of_ours(url: str) -> None:
    async with Session() as session:
        with pytest.raises(HfgenError):
            await session.fetch(WireRequest(url), Target("http://127.0.0.1:9"))


@pytest.mark.parametrize("name", ["expired", "lone", "good"])
async def test_a_certificate_that_does_not_hold_is_said(name: str, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    async with serving(lambda visit: visit.answer(b"{}"), tls=certificates.server(name)) as server:
        connections.tls.cache_clear()
        with pytest.raises(ConnectionFailed, match=r"(?s)no secure connection.*certificate"):
            await frames_of(server.url)
    assert not server.visits


async def test_an_expired_certificate_of_a_known_authority_is_said_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", certificates.authority)
    connections.tls.cache_clear()
    try:
        async with serving(lambda visit: visit.answer(b"{}"), tls=certificates.server("expired")) as server:
            with pytest.raises(ConnectionFailed, match="expired"):
                await frames_of(server.url)
        async with serving(lambda visit: visit.answer(b"{}"), tls=certificates.server()) as server:
            assert await frames_of(server.url) == [Body("application/json", b"{}")]
    finally:
        connections.tls.cache_clear()


async def test_https_to_a_plain_port_and_http_to_a_secure_one(tmp_path: Path) -> None:
    listener = await asyncio.start_server(complain, "127.0.0.1", 0)
    async with listener:
        with pytest.raises(ConnectionFailed, match="no secure connection"):
            await frames_of(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    async with serving(lambda visit: visit.answer(b"{}")) as server:  # one that waits for more
        with pytest.raises(TimedOut, match=r"no connection to .* within 0\.2 s"):
            await frames_of(server.url.replace("http:", "https:"), Limits(connect=0.2))
    async with serving(lambda visit: visit.answer(b"{}"), tls=make_certificates(tmp_path).server()) as server:
        with pytest.raises(HfgenError):
            await frames_of(server.url.replace("https:", "http:"), Limits(first_token=2.0))


async def complain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()


async def test_head_dripping_for_ever_ends_at_the_limit_for_the_whole_head() -> None:
    async def talk(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\nX-A: ")
        while True:
            await visit.say(b"a")
            await asyncio.sleep(0.01)

    loop = asyncio.get_running_loop()
    async with serving(talk) as server:
        began = loop.time()
        with pytest.raises(TimedOut, match=r"did not begin to answer within 0\.2 s"):
            await frames_of(server.url, Limits(first_token=0.2))
        assert loop.time() - began < 1.0
