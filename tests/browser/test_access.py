"""The playground for everybody: by keyboard, by ear, on a phone, in the dark."""

from typing import Any

import pytest

from loopback import Visit
from playground import PHONE, chatting, violations
from talking_model import LISTED, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser]
QUESTION, EDITOR = "#question", ".editor textarea"
_STOPS = 60  # of Tab; the page has fewer
_TEXT = """# Title

Some *words* with `code`, [a link](https://a.test).

```py
x = 1
```

- [x] done

| a |
|---|
| 1 |
"""


async def writes(visit: Visit, asked: dict[str, Any]) -> None:
    await say(visit, [_TEXT], thought="Hm.")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [{}, PHONE], ids=["desk", "phone"])
async def test_axe_finds_no_violation(chromium: Any, colours: str, size: dict[str, Any]) -> None:
    async with chatting(chromium, writes, color_scheme=colours, reduced_motion="reduce", **size) as visitor:
        page = visitor.page
        await page.get_by_role("button", name=LISTED[0]).wait_for()
        assert await violations(page) == []
        await visitor.ask("Hello")
        await page.get_by_role("button", name="Continue").wait_for()
        assert await violations(page) == []
        await page.keyboard.press("Alt+ArrowUp")
        await writes_into(page, EDITOR)
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Settings").click()
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        for opener in ("Keyboard", "Copy as a program"):
            await page.get_by_role("button", name=opener).click()
            assert await violations(page) == []
            await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Compare two models").click()
        assert await violations(page) == []
        await page.get_by_role("option", name=LISTED[1]).click()
        await visitor.ask("Hello both")
        await page.get_by_role("button", name="Continue").nth(1).wait_for()
        assert await violations(page) == []
        await page.get_by_role("button", name="Images").click()
        assert await violations(page) == []


async def test_it_all_goes_by_keyboard(chromium: Any) -> None:
    async with chatting(chromium, writes) as visitor:
        keyboard = visitor.page.keyboard
        await visitor.page.get_by_role("button", name=LISTED[0]).wait_for()
        await keyboard.press("Control+k")
        await visitor.page.get_by_role("option", name=LISTED[1]).wait_for()
        await keyboard.press("ArrowDown")
        await keyboard.press("Enter")
        await visitor.page.get_by_role("button", name=LISTED[1]).wait_for()
        await writes_into(visitor.page, QUESTION)
        await keyboard.type("one")
        await keyboard.press("Shift+Enter")
        await keyboard.type("two")
        assert await visitor.page.locator("#question").input_value() == "one\ntwo"
        await keyboard.press("Enter")
        await visitor.page.get_by_role("button", name="Continue").wait_for()
        assert await visitor.page.locator(".asked").inner_text() == "one\ntwo"
        await keyboard.press("Alt+ArrowUp")
        await writes_into(visitor.page, EDITOR)
        assert await visitor.page.locator(EDITOR).input_value() == "one\ntwo"
        await keyboard.press("Escape")
        await writes_into(visitor.page, QUESTION)


async def writes_into(page: Any, field: str) -> None:
    """Wait until what is typed goes there."""
    await page.locator(f"{field}:focus").wait_for()


async def reach(page: Any, role: str, name: str) -> None:
    """Press Tab until something has the focus, and shows it."""
    wanted = page.get_by_role(role, name=name, exact=True)
    await wanted.first.wait_for()
    for _ in range(_STOPS):
        await page.keyboard.press("Tab")
        if await wanted.and_(page.locator(":focus-visible")).count():
            return
    pytest.fail(f"Tab leads to no {role} {name!r}")


async def press(page: Any, name: str) -> None:
    await reach(page, "button", name)
    await page.keyboard.press("Enter")


async def test_no_part_of_the_chat_needs_a_mouse(chromium: Any) -> None:
    count = 0

    async def counts(visit: Visit, asked: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        before = asked.get("prompt", "").rpartition("Assistant: ")[2]
        await say(visit, ["Answer 1 goes on.".removeprefix(before)] if before else [f"Answer {count}"])

    async with chatting(chromium, counts) as visitor:
        page = visitor.page
        await writes_into(page, QUESTION)
        await page.keyboard.type("Hello")
        await page.keyboard.press("Enter")
        await visitor.reads("Answer 1")
        await press(page, "Answer anew")
        await visitor.reads("Answer 2")
        await press(page, "The answer before")
        await visitor.sees("1 of 2")
        await press(page, "Continue")
        await visitor.reads("Answer 1 goes on.")
        await press(page, "Edit and ask again")
        await writes_into(page, EDITOR)
        await page.keyboard.type("!")
        await page.keyboard.press("Enter")
        await visitor.reads("Answer 4")
        assert await page.locator(".asked").inner_text() == "Hello!"
        async with page.expect_download():
            await press(page, "Export all")


async def test_nothing_that_opens_needs_a_mouse(chromium: Any) -> None:
    async with chatting(chromium, writes) as visitor:
        page = visitor.page
        await page.get_by_role("button", name=LISTED[0]).wait_for()
        await press(page, "Settings")
        await reach(page, "textbox", "System prompt")
        await page.keyboard.type("Be brief.")
        await press(page, "Exact prompt")
        await press(page, "Close: Exact prompt")
        await press(page, "Copy as a program")
        await press(page, "openai")
        await page.get_by_label("The request for openai").get_by_text("Be brief.").wait_for()
        await page.keyboard.press("Escape")
        await press(page, "Compare two models")
        await page.get_by_role("option", name=LISTED[1]).wait_for()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name=LISTED[1]).wait_for()
        await press(page, "Colours: as the system")
        await page.get_by_role("button", name="Colours: light").wait_for()
        await press(page, "Images")
        await reach(page, "textbox", "What to paint")
        await page.keyboard.type("a red fox")
        await reach(page, "button", "Paint")


async def test_answers_are_said_to_screen_readers_in_sentences(chromium: Any) -> None:
    async def sentences(visit: Visit, asked: dict[str, Any]) -> None:
        await say(visit, ["It ", "is ", "one. ", "It is ", "two."])

    async with chatting(chromium, sentences) as visitor:
        await visitor.ask("Hello")
        log = visitor.page.get_by_role("log")
        await log.get_by_text("two.").wait_for()
        assert await log.get_attribute("aria-live") == "polite"
        assert (await log.text_content() or "").strip() == "It is one. It is two."


async def test_nothing_sticks_out_of_a_phone(chromium: Any) -> None:
    async def wide(visit: Visit, asked: dict[str, Any]) -> None:
        await say(visit, [f"{'long' * 60}\n\n```\n{'x' * 300}\n```\n\n|{'wide column|' * 12}\n|{'---|' * 12}\n"])

    async with chatting(chromium, wide, **PHONE) as visitor:
        await visitor.ask("word" * 60)
        await visitor.page.get_by_role("button", name="Continue").wait_for()
        for tab in ("Images", "Chat"):
            await visitor.page.get_by_role("button", name=tab, exact=True).click()
            assert await visitor.page.evaluate("document.documentElement.scrollWidth") == 390
            assert await visitor.page.evaluate("document.querySelector('main').scrollWidth") <= 390


async def test_on_a_phone_two_models_answer_below_each_other_and_the_list_slides_in(chromium: Any) -> None:
    async with chatting(chromium, writes, **PHONE) as visitor:
        page = visitor.page
        await page.get_by_role("button", name=LISTED[0]).wait_for()
        await page.get_by_role("button", name="Compare two models").click()
        await page.get_by_role("option", name=LISTED[1]).click()
        await visitor.ask("Hello")
        await page.get_by_role("button", name="Continue").nth(1).wait_for()
        first, second = [await page.locator(".answer").nth(place).bounding_box() for place in (0, 1)]
        assert second["y"] > first["y"] + first["height"]
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        await page.get_by_role("button", name="Conversations").click()
        await page.get_by_role("button", name="Hello", exact=True).click()
        await page.get_by_role("button", name="Hello", exact=True).wait_for(state="hidden")


async def test_the_theme_follows_the_system_until_it_is_chosen(chromium: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    async with chatting(chromium, writes, color_scheme="dark") as visitor:
        assert await visitor.page.evaluate(ground) == "rgb(18, 20, 23)"
        await visitor.page.get_by_role("button", name="Colours: as the system").click()
        assert await visitor.page.evaluate(ground) == "rgb(255, 255, 255)"
        await visitor.page.reload()
        assert await visitor.page.evaluate(ground) == "rgb(255, 255, 255)"
