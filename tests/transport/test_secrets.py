"""A token goes to its origin and nowhere else: not on a redirect, not into a log, a message or a traceback."""

import logging
import traceback

import pytest

from hfgen.errors import HfgenError
from hfgen.limits import Limits
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest
from loopback import Visit, serving

TOKEN = "hf_abcdefghijklmnopqrstuvwxyz"


def chain(error: BaseException | None) -> str:
    """Messages, reprs and tracebacks of an error and all that led to it."""
    shown: list[str] = []
    while error is not None:
        shown += [str(error), repr(error), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    return "".join(shown)


async def echo(visit: Visit) -> None:
    await visit.answer(f'{{"error":"bad {visit.headers["authorization"]}"}}'.encode(), status="401 No")


async def garbage(visit: Visit) -> None:
    await visit.say(b"HTP/9 " + visit.headers["authorization"].encode() + b"\r\n\r\n")
    visit.writer.close()


async def silent(visit: Visit) -> None:
    await visit.gone()


async def cut(visit: Visit) -> None:
    await visit.begin_stream()
    visit.writer.transport.abort()


@pytest.mark.parametrize("talk", [echo, garbage, silent, cut])
async def test_nothing_of_a_token_shows(talk: object, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(talk) as server, Session() as session:  # type: ignore[arg-type]
        target = Target(server.url, token=TOKEN)
        with pytest.raises(HfgenError) as caught:
            await session.fetch(WireRequest(server.url + "/", b"{}"), target, Limits(first_token=0.1))
        shown = chain(caught.value) + caplog.text + repr(session) + repr(target)
    assert TOKEN not in shown


async def test_what_belongs_to_an_origin_stays_there() -> None:
    async with serving(lambda visit: visit.answer(b"{}")) as other:

        async def talk(visit: Visit) -> None:
            await visit.answer(b"", status="302 Go", more=f"Location: {other.url}/\r\n")

        async with serving(talk) as server, Session() as session:
            target = Target(server.url, token=TOKEN, headers={"X-HF-Bill-To": "us"})
            headers = {"Accept": "application/json", "X-Key": "mine"}
            await session.fetch(WireRequest(server.url + "/", method="GET", headers=headers), target)
        sent = other.visits[0].headers
        assert sent["accept"] == "application/json"
        assert not {"authorization", "x-hf-bill-to", "x-key", "cookie"} & set(sent)


async def test_cookies_are_not_kept() -> None:
    async with serving(lambda visit: visit.answer(b"{}", more="Set-Cookie: a=b\r\n")) as server, Session() as session:
        for _ in range(2):
            await session.fetch(WireRequest(server.url + "/", b"{}"), Target(server.url))
        assert "cookie" not in server.visits[1].headers
