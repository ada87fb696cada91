"""A person chats in the playground."""

import asyncio
import json
from typing import Any

import pytest

from gateway_server import gateway
from hfgen.gateway.settings import Settings
from loopback import Visit, serving
from playground import chatting, visiting
from talking_model import LISTED, delta, say, talking

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

TALE = "Once upon a time."


async def echo(visit: Visit, asked: dict[str, Any]) -> None:
    await say(visit, ["You ", "said ", asked["messages"][-1]["content"], "."])


async def test_an_answer_is_seen_while_it_streams(chromium: Any) -> None:
    goes_on = asyncio.Event()

    async def half(visit: Visit, asked: dict[str, Any]) -> None:
        await visit.begin_stream()
        await visit.event(delta(content="The first half"))
        await goes_on.wait()
        await visit.event(delta(content=" and the second."))
        await visit.event('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
        await visit.end_stream()

    async with chatting(chromium, half) as visitor:
        await visitor.ask("Hello")
        await visitor.sees("The first half")
        assert await visitor.page.get_by_role("button", name="Stop").is_visible()
        goes_on.set()
        await visitor.reads("The first half and the second.")


async def test_thoughts_are_folded_and_figures_stand_under_the_answer(chromium: Any) -> None:
    async def thinks(visit: Visit, asked: dict[str, Any]) -> None:
        await say(visit, ["It ", "is ", "four."], thought="Two and two…", pace=0.01)

    async with chatting(chromium, thinks) as visitor:
        await visitor.ask("Two and two?")
        await visitor.reads("It is four.")
        thoughts = visitor.page.get_by_text("Two and two…")
        assert not await thoughts.is_visible()
        await visitor.page.get_by_text("Thoughts").click()
        await thoughts.wait_for()
        figures = visitor.page.locator(".meters", has_text="21 + 3 tokens")
        await figures.wait_for()
        assert "tokens/s" in await figures.inner_text()
        assert "first after 0." in await figures.inner_text()


@pytest.mark.parametrize("by", ["button", "keyboard"])
async def test_stopping_stops_the_model(chromium: Any, by: str) -> None:
    stopped = asyncio.Event()

    async def endless(visit: Visit, asked: dict[str, Any]) -> None:
        await visit.begin_stream()
        await visit.event(delta(content="On and on"))
        await visit.gone()
        stopped.set()

    async with chatting(chromium, endless) as visitor:
        await visitor.ask("Talk")
        await visitor.sees("On and on")
        if by == "button":
            await visitor.page.get_by_role("button", name="Stop").click()
        else:
            await visitor.page.keyboard.press("Escape")
        await asyncio.wait_for(stopped.wait(), 30)
        await visitor.page.locator(".meters", has_text="stopped").wait_for()


async def test_continuing_goes_on_from_the_end_of_the_answer(chromium: Any) -> None:
    async def halves(visit: Visit, asked: dict[str, Any]) -> None:
        if "prompt" in asked:
            before = asked["prompt"].rpartition("Assistant: ")[2]
            assert before in ("Once upon", "Once upon a")  # the gateway may have the last word said again, to check it
            await say(visit, TALE.removeprefix(before).partition("me"))
        else:
            await say(visit, ["Once ", "upon ", "a"], reason="length")

    async with chatting(chromium, halves) as visitor:
        await visitor.ask("A tale")
        await visitor.page.locator(".meters", has_text="cut at the longest length").wait_for()
        await visitor.page.get_by_role("button", name="Continue").click()
        await visitor.reads("Once upon a time.")


async def test_editing_asks_again_from_there(chromium: Any) -> None:
    async with chatting(chromium, echo) as visitor:
        await visitor.ask("one")
        await visitor.reads("You said one.")
        await visitor.ask("two")
        await visitor.reads("You said two.")
        await visitor.page.keyboard.press("Alt+ArrowUp")
        editor = visitor.page.locator(".editor textarea")
        assert await editor.input_value() == "two"
        await editor.fill("three")
        await visitor.page.keyboard.press("Enter")
        await visitor.reads("You said three.")
        assert await visitor.page.locator(".prose", has_text="You said two.").count() == 0
    said = [json.loads(visit.body)["messages"] for visit in visitor.model.visits if visit.body]
    assert [each["content"] for each in said[-1]] == ["one", "You said one.", "three"]


async def test_answers_made_anew_stand_beside_each_other(chromium: Any) -> None:
    count = 0

    async def counts(visit: Visit, asked: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        await say(visit, [f"Answer {count}"])

    async with chatting(chromium, counts) as visitor:
        await visitor.ask("Hello")
        await visitor.reads("Answer 1")
        await visitor.page.get_by_role("button", name="Answer anew").click()
        await visitor.reads("Answer 2")
        await visitor.page.get_by_role("button", name="The answer before").click()
        await visitor.reads("Answer 1")
        await visitor.sees("1 of 2")


async def test_two_models_answer_the_same_message_and_keep_their_own_past(chromium: Any) -> None:
    async def named(visit: Visit, asked: dict[str, Any]) -> None:
        await say(visit, [f"I am {asked['model']}, turn {len(asked['messages'])}"])

    async with chatting(chromium, named) as visitor:
        await visitor.page.get_by_role("button", name=LISTED[0]).wait_for()
        await visitor.page.get_by_role("button", name="Compare two models").click()
        await visitor.page.get_by_role("combobox").fill("river")
        await visitor.page.keyboard.press("Enter")
        for turn in (1, 3):
            await visitor.ask("Who are you?")
            for name in LISTED:
                await visitor.reads(f"I am {name}, turn {turn}")
    said = [json.loads(visit.body) for visit in visitor.model.visits if visit.body]
    for body in said[2:]:
        assert body["messages"][1]["content"] == f"I am {body['model']}, turn 1"


async def test_settings_reach_the_model(chromium: Any) -> None:
    async with chatting(chromium, echo) as visitor:
        await visitor.page.get_by_role("button", name="Settings").click()
        await visitor.page.get_by_label("System prompt").fill("Be brief.")
        await visitor.page.get_by_label("Temperature").fill("0.2")
        await visitor.page.get_by_label("Longest answer").fill("12")
        await visitor.page.get_by_label("Stop at").fill("END")
        await visitor.ask("Hello")
        await visitor.reads("You said Hello.")
    (body,) = [json.loads(visit.body) for visit in visitor.model.visits if visit.body]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["temperature"], body["max_tokens"], body["stop"]) == (0.2, 12, ["END"])


async def test_an_error_is_shown_with_what_to_do(chromium: Any) -> None:
    async def breaks(visit: Visit, asked: dict[str, Any]) -> None:
        await visit.begin_stream()
        await visit.event(delta(content="So far"))
        await visit.event('{"error":{"message":"out of memory"}}')
        await visit.end_stream()

    async with chatting(chromium, breaks) as visitor:
        await visitor.ask("Hello")
        await visitor.page.get_by_role("alert").filter(has_text="out of memory").wait_for()
        await visitor.sees("So far")


async def test_conversations_are_kept_and_exported(chromium: Any) -> None:
    async with chatting(chromium, echo) as visitor:
        await visitor.ask("Remember me")
        await visitor.has_kept("You said Remember me.")
        await visitor.page.reload()
        await visitor.page.get_by_role("button", name="Remember me", exact=True).click()
        await visitor.reads("You said Remember me.")
        async with visitor.page.expect_download() as download:
            await visitor.page.get_by_role("button", name="Export all").click()
        exported = json.loads((await (await download.value).path()).read_text())
        await visitor.page.get_by_role("button", name="Delete “Remember me”").click()
        await visitor.page.get_by_role("button", name="Export all").wait_for(state="detached")
    assert exported["format"] == "hfgen-conversations-1"
    (conversation,) = exported["conversations"]
    assert conversation["turns"][0]["question"] == "Remember me"
    assert conversation["turns"][0]["columns"][0]["variants"][0]["text"] == "You said Remember me."


async def test_a_wrong_key_is_asked_for_again(chromium: Any) -> None:
    async with (
        serving(talking(echo)) as model,
        gateway(Settings(api_base=(model.url,), keys=("secret",))) as url,
        visiting(chromium, f"{url}/#k=guess") as visitor,
    ):
        await visitor.sees("does not know the key")
        await visitor.page.get_by_role("textbox", name="API key").fill("secret")
        await visitor.page.keyboard.press("Enter")
        await visitor.page.get_by_role("button", name=LISTED[0]).wait_for()
        visitor.wrong[:] = [each for each in visitor.wrong if "401" not in each]


async def test_the_key_is_asked_for_once_and_kept_nowhere_but_in_the_tab(chromium: Any) -> None:
    async with serving(talking(echo)) as model, gateway(Settings(api_base=(model.url,), keys=("secret",))) as url:
        async with visiting(chromium, url) as visitor:
            await visitor.page.get_by_role("textbox", name="API key").fill("secret")
            await visitor.page.keyboard.press("Enter")
            await visitor.ask("Hello")
            await visitor.reads("You said Hello.")
            assert "secret" not in await visitor.page.evaluate("JSON.stringify(localStorage) + location.href")
            visitor.wrong[:] = [each for each in visitor.wrong if "401" not in each]
        async with visiting(chromium, f"{url}/#k=secret") as visitor:
            await visitor.ask("Hello")
            await visitor.reads("You said Hello.")
            assert visitor.page.url == f"{url}/"
