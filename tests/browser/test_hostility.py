"""What models write is hostile: it runs nothing, fetches nothing, and hides nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from hostile_markdown import HOSTILE
from loopback import Visit
from playground import chatting
from talking_model import say

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

# Everything in the page's answers that could act: found in the document as the browser understood it.
_ACTIVE = """() => [...document.querySelectorAll(".prose *")].filter((element) =>
    !["A", "BLOCKQUOTE", "BR", "BUTTON", "CODE", "DEL", "DIV", "EM", "H3", "H4", "HR", "IMG", "INPUT", "LI", "MARK",
      "OL", "P", "PRE", "S", "SPAN", "STRONG", "TABLE", "TBODY", "TD", "TH", "THEAD", "TR", "UL",
    ].includes(element.tagName)
    || [...element.attributes].some(({name}) => /^on|^(style|srcdoc|id|name)$/.test(name))
    || (element.tagName === "A" && !["http:", "https:", "mailto:"].includes(element.protocol))
    || (element.tagName === "A" && element.rel !== "noopener noreferrer nofollow")
    || (element.tagName === "IMG" && !/^data:image\\/(png|jpeg|webp|gif);base64,/.test(element.src))
).map((element) => element.outerHTML)"""


def in_pieces(text: str, size: int) -> Iterator[str]:
    for at in range(0, len(text), size):
        yield text[at : at + size]


@pytest.mark.parametrize("size", [3, 1000])
async def test_hostile_markdown_runs_nothing_and_calls_nobody(chromium: Any, size: int) -> None:
    """Each comes in pieces, so that its halves are parsed too; the visit itself fails on any request or violation."""

    async def hostile(visit: Visit, asked: dict[str, Any]) -> None:
        await say(
            visit, in_pieces(HOSTILE[int(asked["messages"][-1]["content"])], size), pace=0.0 if size > 3 else 0.001
        )

    async with chatting(chromium, hostile) as visitor:
        visitor.page.on("dialog", lambda dialog: visitor.wrong.append(dialog.message))
        for place in range(len(HOSTILE)):
            await visitor.ask(str(place))
            await visitor.page.get_by_role("button", name="Continue").wait_for()
            assert await visitor.page.evaluate(_ACTIVE) == [], HOSTILE[place]
            await visitor.page.get_by_role("button", name="New conversation").click()
        assert await visitor.page.evaluate("window.pwned") is None


async def test_all_of_it_in_one_answer_and_from_the_history(chromium: Any) -> None:
    async def hostile(visit: Visit, asked: dict[str, Any]) -> None:
        await say(visit, in_pieces("\n\n".join(HOSTILE), 40))

    async with chatting(chromium, hostile) as visitor:
        await visitor.ask(HOSTILE[0])
        await visitor.page.get_by_role("button", name="Continue").wait_for()
        assert await visitor.page.evaluate(_ACTIVE) == []
        await visitor.has_kept("clobbered")
        await visitor.page.reload()
        await visitor.page.locator(".history .entry").click()
        await visitor.page.get_by_role("button", name="Continue").wait_for()
        assert await visitor.page.evaluate(_ACTIVE) == []
        assert await visitor.page.evaluate("window.pwned") is None


async def test_a_link_says_where_it_leads_and_a_picture_is_its_words(chromium: Any) -> None:
    text = "[your bank](https://evil.test/login), ![a cat](https://evil.test/cat.png) and https://plain.test/x"

    async def links(visit: Visit, asked: dict[str, Any]) -> None:
        await say(visit, [text])

    async with chatting(chromium, links) as visitor:
        await visitor.ask("Hello")
        await visitor.page.get_by_role("button", name="Continue").wait_for()
        shown = await visitor.page.locator(".prose").inner_text()
        assert shown.strip() == "your bank (evil.test), a cat and https://plain.test/x"
        assert await visitor.page.locator(".prose img").count() == 0


async def test_characters_that_hide_or_turn_code_round_are_marked(chromium: Any) -> None:
    text = "```py\nif a\u202e == b\u2066:\u200b\n```\n\nprose \u202eturned and a family \U0001f469\u200d\U0001f467"

    async def turned(visit: Visit, asked: dict[str, Any]) -> None:
        await say(visit, [text])

    async with chatting(chromium, turned) as visitor:
        await visitor.ask("Hello")
        await visitor.page.get_by_role("button", name="Continue").wait_for()
        marks = await visitor.page.locator(".hidden-character").all_inner_texts()
        assert marks == ["U+202E", "U+2066", "U+200B", "U+202E"]
        assert "\u202e" not in await visitor.page.locator(".prose").inner_text()
