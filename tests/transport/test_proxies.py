"""Proxies: given or from the environment, HTTP or SOCKS; never for this machine, never named with a password."""

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hfgen.errors import ConnectionFailed, UsageError
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest
from loopback import Visit, serving

PASSWORD = "secretsecret"
URL = "http://server.test/"


def post(url: str) -> WireRequest:
    return WireRequest(url, b"{}")


async def ask(url: str = URL, proxy: str | None = None) -> bytes:
    async with Session(proxy=proxy) as session:
        return (await session.fetch(post(url), Target(url))).data


@asynccontextmanager
async def socks(refuse: bool = False) -> AsyncIterator[tuple[int, list[tuple[str, int]]]]:
    """A SOCKS5 proxy (RFC 1928) that answers every request itself, and says where it was to lead."""
    asked: list[tuple[str, int]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            _, methods = await reader.readexactly(2)
            offered = await reader.readexactly(methods)
            writer.write(b"\x05\x02" if 2 in offered else b"\x05\x00")
            if 2 in offered:
                _, length = await reader.readexactly(2)
                await reader.readexactly(length)
                await reader.readexactly((await reader.readexactly(1))[0])
                writer.write(b"\x01\x00")
            await reader.readexactly(4)
            name = await reader.readexactly((await reader.readexactly(1))[0])
            asked.append((name.decode(), int.from_bytes(await reader.readexactly(2), "big")))
            writer.write(b"\x05" + (b"\x05" if refuse else b"\x00") + b"\x00\x01\0\0\0\0\0\0")
            if not refuse:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"socks"')
            await writer.drain()
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1], asked


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_a_socks_proxy_is_used_and_resolves_the_name_itself(scheme: str) -> None:
    async with socks() as (port, asked):
        assert await ask(proxy=f"{scheme}://user:secretsecret@127.0.0.1:{port}") == b'"socks"'
        assert asked == [("server.test", 80)]


async def test_a_socks_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with socks() as (port, asked):
        monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{port}")
        assert await ask() == b'"socks"'
        assert asked == [("server.test", 80)]


async def test_a_socks_proxy_that_refuses_is_a_failed_connection() -> None:
    async with socks(refuse=True) as (port, _):
        with pytest.raises(ConnectionFailed, match="the proxy to"):
            await ask(proxy=f"socks5://127.0.0.1:{port}")


@pytest.mark.parametrize("proxy", ["http://u:secret%40secret@127.0.0.1:9", "socks5://u:secret%40secret@127.0.0.1:9"])
async def test_a_proxy_that_is_not_there_is_said_without_its_password(proxy: str) -> None:
    with pytest.raises(ConnectionFailed, match="proxy") as caught:
        await ask(proxy=proxy)
    shown = str(caught.value) + repr(caught.value) + "".join(traceback.format_exception(caught.value))
    assert "secret%40secret" not in shown
    assert "secret@secret" not in shown


async def test_https_goes_through_a_tunnel_and_a_refused_one_is_said() -> None:
    async def talk(visit: Visit) -> None:
        await visit.answer(b"no", status="407 Proxy Authentication Required")

    async with serving(talk) as proxy:
        with pytest.raises(ConnectionFailed, match=r"the proxy to .* status 407") as caught:
            await ask("https://server.test/", proxy.url.replace("//", f"//u:{PASSWORD}@"))
        assert (proxy.visits[0].method, proxy.visits[0].path) == ("CONNECT", "server.test:443")
        assert proxy.visits[0].headers["proxy-authorization"].startswith("Basic ")
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("exempt", ["server.test", "*", ".test", "server.test:80"])
async def test_no_proxy_is_honoured(exempt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(lambda visit: visit.answer(b"{}")) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert await ask("http://server.test:80/") == b"{}"
        monkeypatch.setenv("NO_PROXY", exempt)
        with pytest.raises(ConnectionFailed, match="not known"):
            await ask("http://server.test:80/")
        assert len(proxy.visits) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_very_machine_is_asked_without_the_environments_proxy(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with serving(lambda visit: visit.answer(b'"direct"')) as server:
        assert await ask(f"http://{host}:{server.port}/") == b'"direct"'


async def test_an_environment_that_names_no_proxy_is_said_and_not_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "ftp://127.0.0.1:9")
    with pytest.raises(UsageError, match="PROXY variable"):
        await ask()
