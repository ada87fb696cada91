"""The playground in a real browser, watched: what it logs, what its policy refuses, and whom it calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway_server import gateway
from hfgen.gateway.settings import Settings
from loopback import Server, serving
from talking_model import Answering, talking

_AXE = Path(__file__).parents[1] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
    console.error(`policy: ${violatedDirective} ${blockedURI}`));
"""


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
    page.set_default_timeout(10_000)
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
        pytest.skip("axe-core is not here: run npm ci in web/")
    await page.evaluate(_AXE.read_text())
    found = await page.evaluate("axe.run()")
    return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]
