"""Pictures that lie at an address: where they may lie, who sees the token, and how much is read."""

import asyncio
import ipaddress
from collections.abc import Sequence
from pathlib import Path

import pytest

from certificates import make_certificates
from hfgen.errors import BadPicture, ConnectionFailed, HfgenError, ServerError, TimedOut
from hfgen.limits import Limits
from hfgen.transport.addresses import Address, Reach, reach
from hfgen.transport.connections import tls
from hfgen.transport.session import Session
from hfgen.wire import Target
from loopback import Server, Visit, serving
from pictures import png

TOKEN = "hf_secret_secret_1"
MOST = 2**20
PUBLIC = Target("https://api.example/v1", token=TOKEN)
GIVE = png()


async def give(visit: Visit) -> None:
    await visit.answer(GIVE, "image/png")


def at_loopback(server: Server) -> Target:
    return Target(server.url + "/v1", token=TOKEN)


class Names:
    """A name server that says what it is told, each time the next."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _: int) -> Sequence[Address]:
        self.asked.append(host)
        return [ipaddress.ip_address(one) for one in self.answers.pop(0)]


async def fetched(url: str, target: Target, names: Names | None = None, most: int = MOST) -> bytes:
    async with Session(resolver=names or Names()) as session:
        return await session.download(url, target, Limits(), most)


async def test_a_picture_is_fetched_without_the_token_from_another_origin() -> None:
    async with serving(give) as api, serving(give) as cdn:
        assert await fetched(f"{cdn.url}/a.png?sig=x", at_loopback(api)) == GIVE
        assert "authorization" not in cdn.visits[0].headers
        assert "cookie" not in cdn.visits[0].headers


async def test_the_targets_own_origin_gets_its_own_token() -> None:
    async with serving(give) as api:
        assert await fetched(f"{api.url}/files/a.png", at_loopback(api)) == GIVE
        assert api.visits[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_redirect_from_the_targets_origin_takes_no_token_along() -> None:
    async with serving(give) as cdn:

        async def send_on(visit: Visit) -> None:
            await visit.answer(b"", status="302 Found", more=f"Location: {cdn.url}/a.png\r\n")

        async with serving(send_on) as api:
            assert await fetched(f"{api.url}/a.png", at_loopback(api)) == GIVE
            assert "authorization" in api.visits[0].headers
            assert "authorization" not in cdn.visits[0].headers


INSIDE = [
    *("http://127.0.0.1:{port}/", "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://0:{port}/"),
    *("http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://0177.0.0.1:{port}/", "http://127.1:{port}/"),
    *("http://0.0.0.0:{port}/", "http://[::]:{port}/", "http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.9.9/"),
    *("http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://[fe80::1]/", "http://[fc00::1]/"),
    *("http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[::127.0.0.1]/", "http://224.0.0.1/"),
    *(
        "http://100.64.0.1/",
        "http://255.255.255.255/",
        "http://\uff11\uff12\uff17.0.0.1:{port}/",
        "http://[::ffff:a00:1]/",
    ),
    "http://[2001:0:53aa:64c:0:0:8000:1]/",
]


@pytest.mark.parametrize("url", INSIDE)
async def test_a_public_server_cannot_send_us_inside(url: str) -> None:
    async with serving(give) as inside:
        with pytest.raises(BadPicture, match="not fetched"):
            await fetched(url.format(port=inside.port), PUBLIC)
        assert inside.visits == []


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a.example/x", "gopher://a.example", "javascript:x", "", "//a/b", "http://",
     "http://a:b@c.example/", "http://[", "http://a.example:99999/", "unix:/x", "/etc/passwd"],
)  # fmt: skip
async def test_only_http_without_a_login_is_fetched(url: str) -> None:
    with pytest.raises(BadPicture):
        await fetched(url, PUBLIC)


async def test_every_address_of_a_name_has_to_be_public() -> None:
    names = Names(["93.184.216.34", "10.0.0.1"])

    with pytest.raises(BadPicture, match=r"10\.0\.0\.1"):
        await fetched("http://cdn.example/a.png", PUBLIC, names)


async def test_a_name_is_resolved_once_and_the_checked_address_is_dialled() -> None:
    """DNS rebinding: the second answer would lead elsewhere, and is never asked for."""
    async with serving(give) as server:
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        assert await fetched(f"http://cdn.example:{server.port}/a.png", at_loopback(server), names) == GIVE
        assert names.asked == ["cdn.example"]
        assert server.visits[0].headers["host"] == f"cdn.example:{server.port}"


async def test_the_certificate_is_that_of_the_name_though_an_address_is_dialled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", certificates.authority)
    tls.cache_clear()
    try:
        async with serving(give) as api, serving(give, tls=certificates.server()) as cdn:
            target, at = at_loopback(api), f":{cdn.port}/a.png"
            assert await fetched(f"https://localhost{at}", target, Names(["127.0.0.1"])) == GIVE
            with pytest.raises(ConnectionFailed, match="no secure connection"):
                await fetched(f"https://other.example{at}", target, Names(["127.0.0.1"]))
            assert len(cdn.visits) == 1
    finally:
        tls.cache_clear()


async def test_each_redirect_is_checked_anew() -> None:
    async def send_inside(visit: Visit) -> None:
        await visit.answer(b"", status="302 Found", more="Location: http://169.254.169.254/latest\r\n")

    async with serving(send_inside) as server:
        with pytest.raises(BadPicture, match=r"169\.254\.169\.254"):
            await fetched(server.url, at_loopback(server))


async def test_a_redirect_to_a_file_is_not_followed() -> None:
    async def send_home(visit: Visit) -> None:
        await visit.answer(b"", status="302 Found", more="Location: file:///etc/passwd\r\n")

    async with serving(send_home) as server:
        with pytest.raises(ServerError):
            await fetched(server.url, at_loopback(server))


async def test_a_circle_of_redirects_ends() -> None:
    async def again(visit: Visit) -> None:
        await visit.answer(b"", status="302 Found", more="Location: /\r\n")

    async with serving(again) as server:
        with pytest.raises(ServerError, match="circle"):
            await fetched(server.url, at_loopback(server))
        assert len(server.visits) == 4


async def test_ten_gigabytes_are_not_read_where_the_head_tells() -> None:
    async def large(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
        await visit.gone()

    async with serving(large) as server:
        with pytest.raises(BadPicture, match="10737418240"):
            await fetched(server.url, at_loopback(server))


async def test_an_endless_body_is_left_at_the_limit() -> None:
    said = 0

    async def endless(visit: Visit) -> None:
        nonlocal said
        await visit.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await visit.say(b"10000\r\n" + bytes(65536) + b"\r\n")
            said += 65536

    async with serving(endless) as server:
        with pytest.raises(BadPicture, match="too large"):
            await fetched(server.url, at_loopback(server))
    assert said < 100 * MOST


async def test_a_body_that_drips_is_left_when_its_time_is_up() -> None:
    async def drip(visit: Visit) -> None:
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await visit.say(b"x")
            await asyncio.sleep(0.01)

    async with serving(drip) as server, Session() as session:
        with pytest.raises(TimedOut, match=r"within 0\.2 s"):
            await session.download(server.url, at_loopback(server), Limits(), MOST, longest=0.2)


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "410 Gone", "500 Oh"])
async def test_an_error_of_the_host_is_not_an_error_of_the_model_or_the_token(status: str) -> None:
    async def refuse(visit: Visit) -> None:
        await visit.answer(b"<Error>expired</Error>", "application/xml", status)

    async with serving(refuse) as server:
        with pytest.raises(ServerError, match="cannot be fetched") as caught:
            await fetched(server.url, at_loopback(server))
        assert caught.value.status in (int(status[:3]), 404)
        assert "token" not in caught.value.message


async def test_through_a_proxy_addresses_and_local_names_are_still_checked() -> None:
    async with serving(give) as proxy, Session(proxy=proxy.url) as session:
        for url in ("http://10.0.0.1/a", "http://metadata.google.internal/a", "http://localhost:80/", "http://0x7f.1/"):
            with pytest.raises(BadPicture):
                await session.download(url, PUBLIC, Limits(), MOST)
        assert proxy.visits == []
        assert await session.download("http://cdn.example/a.png", PUBLIC, Limits(), MOST) == GIVE
        assert proxy.visits[0].path == "http://cdn.example/a.png"
        assert "authorization" not in proxy.visits[0].headers


async def test_a_name_that_nobody_knows_is_said() -> None:
    async with Session() as session:
        with pytest.raises(ConnectionFailed, match=r"cdn\.example is not known"):
            await session.download("http://cdn.example/a.png", PUBLIC, Limits(), MOST)


async def test_closing_the_session_ends_a_download() -> None:
    reached = asyncio.Event()

    async def hang(visit: Visit) -> None:
        reached.set()
        await visit.gone()

    async with serving(hang) as server:
        session = Session()
        download = asyncio.create_task(session.download(server.url, at_loopback(server), Limits(), MOST))
        await reached.wait()
        await session.close()
        with pytest.raises(HfgenError, match="closed"):
            await download


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("93.184.216.34", Reach.PUBLIC),
        ("2606:4700::1111", Reach.PUBLIC),
        ("64:ff9b::5db8:d822", Reach.PUBLIC),
        ("192.168.0.9", Reach.PRIVATE),
        ("fd12::1", Reach.PRIVATE),
        ("127.255.255.254", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("::ffff:127.0.0.1", Reach.LOOPBACK),
        ("64:ff9b:1::1", Reach.NOWHERE),
        ("fec0::1", Reach.NOWHERE),
        ("ff02::1", Reach.NOWHERE),
        ("240.0.0.1", Reach.NOWHERE),
        ("192.0.2.1", Reach.NOWHERE),
    ],
)
def test_how_far_an_address_reaches(address: str, kind: Reach) -> None:
    assert reach(ipaddress.ip_address(address)) is kind


async def test_a_server_in_ones_own_network_does_not_name_this_machine() -> None:
    async with serving(give) as inside:
        with pytest.raises(BadPicture, match="no public address"):
            await fetched(inside.url, Target("http://192.168.1.5:8000"))
        assert inside.visits == []
