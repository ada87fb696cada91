"""The exact prompt, next to the chat."""

import json
from typing import Any

import pytest

from gateway_server import gateway
from hfgen.gateway.settings import Settings
from loopback import Visit, serving
from playground import violations_in_any_look, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
PROPS = {
    "default_generation_settings": {"n_ctx": 4096},
    "chat_template": TEMPLATE,
    "bos_token": "<s>",
    "eos_token": "</s>",
}
_COLOURS = """(prompt) => ({
    special: getComputedStyle(prompt.querySelector(".special")).color,
    plain: getComputedStyle(prompt).color,
})"""


async def llamacpp(visit: Visit) -> None:
    match visit.path:
        case "/props":
            await visit.answer(json.dumps(PROPS).encode())
        case "/v1/models":
            await visit.answer(b'{"object":"list","data":[{"id":"toy","object":"model","owned_by":"llamacpp"}]}')
        case "/tokenize":
            await visit.answer(b'{"tokens":[1,2,3]}')
        case _:
            await visit.answer(b'{"error":"no such route"}', status="404 Not Found")


async def test_the_prompt_follows_what_is_written_and_its_special_tokens_are_coloured(chromium: Any) -> None:
    async with (
        serving(llamacpp) as server,
        gateway(Settings(api_base=(server.url,))) as url,
        visiting(chromium, url) as visitor,
    ):
        page = visitor.page
        await page.get_by_role("button", name="toy").wait_for()
        await page.get_by_role("button", name="Exact prompt").click()
        await visitor.sees("The prompt shows up here")
        await page.locator("#question").fill("Hi <b>you</b>")
        prompt = page.get_by_label("The exact prompt")
        await prompt.get_by_text("Hi <b>you</b>").wait_for()
        assert await prompt.inner_text() == "<s><|user|>Hi <b>you</b></s><|assistant|>"
        assert await prompt.locator(".special").all_inner_texts() == ["<s>", "<|user|>", "</s>", "<|assistant|>"]
        colours = await prompt.evaluate(_COLOURS)
        assert colours["special"] != colours["plain"]
        await visitor.sees("3 tokens, 41 characters")
        assert await violations_in_any_look(page) == []
        await page.get_by_role("button", name="Settings").click()
        await page.get_by_label("System prompt").fill("Be brief.")
        await page.get_by_role("button", name="Exact prompt").click()
        await prompt.get_by_text("Be brief.").wait_for()
