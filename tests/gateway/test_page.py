"""The playground as files: what is served, and under which policy. What it does is in tests/browser."""

import gzip
import re
from importlib import resources
from importlib.resources.abc import Traversable

import aiohttp
import pytest
from yarl import URL

from gateway_server import gateway
from hfgen.gateway.settings import Settings

pytestmark = pytest.mark.anyio
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types dompurify"
)
PLAYGROUND = resources.files("hfgen.gateway") / "playground"


def script() -> Traversable:
    (found,) = (each for each in PLAYGROUND.iterdir() if each.name.startswith("main-"))
    return found


async def test_the_page_comes_under_a_strict_policy_and_is_never_kept() -> None:
    async with gateway(Settings()) as url, aiohttp.ClientSession() as client, client.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_all_that_the_page_names_is_served_for_ever_plain_and_compressed() -> None:
    async with gateway(Settings()) as url, aiohttp.ClientSession(auto_decompress=False) as client:
        page = await (await client.get(url, headers={"Accept-Encoding": "identity"})).text()
        names = re.findall(r'(?:href|src)="([^"]+)"', page)
        assert len(names) == 3
        for name in names:
            assert re.fullmatch(r"playground/\w+-[0-9a-f]{12}\.(js|css|svg)", name)
            plain = await client.get(f"{url}/{name}", headers={"Accept-Encoding": "identity"})
            small = await client.get(f"{url}/{name}", headers={"Accept-Encoding": "gzip"})
            assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert plain.headers["Content-Security-Policy"] == POLICY
            assert "Content-Encoding" not in plain.headers
            assert small.headers["Content-Encoding"] == "gzip"
            assert small.headers["Vary"] == "Accept-Encoding"
            assert gzip.decompress(await small.read()) == await plain.read()


async def test_the_page_holds_nothing_that_its_policy_forbids() -> None:
    page = (PLAYGROUND / "index.html").read_text()
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", page)
    assert not re.search(r"\beval\(|new Function\(|document\.write\(", script().read_text())


async def test_the_page_needs_no_key_though_the_api_does() -> None:
    async with gateway(Settings(keys=("secret",))) as url, aiohttp.ClientSession() as client:
        for path, status in (("", 200), (f"/playground/{script().name}", 200), ("/v1/models", 401)):
            async with client.get(url + path) as answer:
                assert answer.status == status


@pytest.mark.parametrize(
    "name", ["nothing.js", "../page.py", "..%2fpage.py", "%2e%2e/%2e%2e/errors.py", "a/b", "", "%00"]
)
async def test_what_is_no_file_of_the_page_is_not_found(name: str) -> None:
    async with (
        gateway(Settings()) as url,
        aiohttp.ClientSession() as client,
        client.get(URL(f"{url}/playground/{name}", encoded=True)) as answer,
    ):
        assert answer.status == 404


async def test_a_stranger_s_name_does_not_get_the_page() -> None:
    stranger = {"Host": "evil.test"}
    async with (
        gateway(Settings()) as url,
        aiohttp.ClientSession(headers=stranger) as client,
        client.get(url) as answer,
    ):
        assert answer.status == 421


async def test_the_licences_of_what_is_bundled_are_there() -> None:
    text = (PLAYGROUND / "licences.txt").read_text()
    for name in ("preact", "@preact/signals", "@preact/signals-core", "htm", "marked", "dompurify"):
        assert re.search(rf"^{re.escape(name)} \d+\.\d+\.\d+ \(", text, re.MULTILINE)
