"""The playground in a real browser, watched: what it logs, what its policy refuses, and whom it calls."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Never
from urllib.parse import urlsplit

import pytest

from gateway_server import gateway
from hfgen.gateway.settings import Settings
from loopback import Server, serving
from talking_model import Answering, talking

_AXE = Path(__file__).parents[1] / "web" / "node_modules" / "axe-core" / "axe.min.js"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
_WIDTHS = (1280, 390)
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
    console.error(`policy: ${violatedDirective} ${blockedURI}`));
"""
# Resolves once the conversations that the browser keeps hold the text.
_KEPT = """(text) => new Promise((resolve) => {
    const opening = indexedDB.open("hfgen", 1);
    opening.onsuccess = () => look(opening.result);
    function look(disk) {
        const files = disk.transaction("conversations").objectStore("conversations").getAll();
        files.onsuccess = () => {
            if (!JSON.stringify(files.result).includes(text)) return look(disk);
            disk.close();
            resolve();
        };
    }
})"""


@dataclass
class Visitor:
    """A person's tab, and what went wrong in it."""

    page: Any
    wrong: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)

    async def ask(self, question: str) -> None:
        await self.page.get_by_role("textbox", name="Your question").fill(question)
        await self.page.keyboard.press("Enter")

    async def sees(self, text: str) -> None:
        await self.page.get_by_text(text).first.wait_for()

    async def reads(self, text: str) -> None:
        """An answer with this text, and that nothing is being written any more."""
        await self.page.locator(".prose", has_text=text).first.wait_for()
        await self.page.get_by_role("button", name="Send").wait_for()

    async def has_kept(self, text: str) -> None:
        """Wait until the browser has it on its disk, where a new visit finds it."""
        await self.page.evaluate(_KEPT, text)


@dataclass
class Chat(Visitor):
    """A visit, and the models behind the page."""

    model: Server = field(default_factory=lambda: Server(0))


@asynccontextmanager
async def chatting(browser: Any, answering: Answering, **options: Any) -> AsyncIterator[Chat]:
    """A visit to a gateway whose models answer with `answering`."""
    async with (
        serving(talking(answering)) as model,
        gateway(Settings(api_base=(model.url,))) as url,
        visiting(browser, url, **options) as visitor,
    ):
        yield Chat(visitor.page, visitor.wrong, visitor.abroad, model)


@asynccontextmanager
async def visiting(browser: Any, url: str, **options: Any) -> AsyncIterator[Visitor]:
    """Open the playground; when the visit ends, nothing may have gone wrong and nobody else been called."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    page.set_default_timeout(30_000)  # patience on a busy machine costs nothing on a quiet one
    visitor = Visitor(page)
    home = urlsplit(url).netloc
    await page.add_init_script(_TELL_VIOLATIONS)

    def note(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("blob", "data") and parts.netloc != home:
            visitor.abroad.append(request.url)

    page.on("console", lambda said: visitor.wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: visitor.wrong.append(str(error)))
    context.on("request", note)
    try:
        await page.goto(url)
        yield visitor
    finally:
        await context.close()
    assert visitor.wrong == []
    assert visitor.abroad == []


async def violations(page: Any) -> list[str]:
    """What axe-core finds wrong for people who see, hear or move less."""
    if not _AXE.is_file():
        lacking("axe-core is not here: run npm ci in web/")
    await page.evaluate(_AXE.read_text())
    found = await page.evaluate("axe.run()")
    return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]


async def violations_in_any_look(page: Any) -> list[str]:
    """The same, by light and in the dark, on a desk and as narrow as a phone."""
    found = []
    size = page.viewport_size
    for colours in ("light", "dark"):
        await page.emulate_media(color_scheme=colours, reduced_motion="reduce")
        for width in _WIDTHS:
            await page.set_viewport_size({"width": width, "height": 844})
            found += [f"{colours}, {width} wide: {each}" for each in await violations(page)]
    await page.set_viewport_size(size)
    return found


def lacking(what: str) -> Never:
    """Skip a test for want of something; where HFGEN_CHROMIUM names the browser, as CI does, nothing may be wanting."""
    if os.environ.get("HFGEN_CHROMIUM"):
        pytest.fail(what)
    pytest.skip(what)
