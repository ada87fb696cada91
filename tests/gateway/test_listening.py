"""The socket that `hfgen serve` listens on."""

import asyncio
import socket

import pytest

from hfgen.errors import UsageError
from hfgen.gateway.server import listen

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("shared", [False, True])
async def test_no_token_waits_for_the_acknowledgement_of_the_one_before(shared: bool) -> None:
    """Nagle's algorithm together with a caller's delayed acknowledgements holds small writes back for 40 ms."""
    kept: list[int] = []

    def accepted(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock: socket.socket = writer.get_extra_info("socket")
        kept.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with listen("127.0.0.1", 0, shared=shared) as listener:
        async with await asyncio.start_server(accepted, sock=listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            await reader.read()
            writer.close()
    assert kept
    assert all(kept)


def test_an_address_that_is_taken_is_an_error_of_use() -> None:
    with listen("127.0.0.1", 0) as listener, pytest.raises(UsageError, match="cannot listen"):
        listen("127.0.0.1", listener.getsockname()[1])
