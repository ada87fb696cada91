"""A person has pictures painted."""

import json
from typing import Any

import pytest

from gateway_server import gateway
from hfgen.gateway.settings import Settings
from loopback import Visit, serving
from pictures import png
from playground import violations_in_any_look, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def paints(visit: Visit) -> None:
    if visit.method == "POST":
        await visit.answer(png(16, 8), "image/png")
    else:
        await visit.answer(b'{"error":"no such route"}', status="404 Not Found")


async def test_pictures_are_painted_kept_and_downloaded_with_what_they_were_made_from(chromium: Any) -> None:
    async with serving(paints) as server:
        settings = Settings(api_base=(f"{server.url}/models/me/painter",))
        async with gateway(settings) as url, visiting(chromium, url) as visitor:
            page = visitor.page
            await page.get_by_role("button", name="Images").click()
            await page.keyboard.press("Control+k")
            await page.get_by_role("combobox").fill("me/painter")
            await page.keyboard.press("Enter")
            await page.get_by_label("What to paint").fill("a red fox")
            await page.get_by_role("radio", name="16:9").check()
            await page.get_by_role("spinbutton", name="Pictures").fill("2")
            await page.get_by_role("spinbutton", name="Seed").fill("7")
            await page.get_by_role("button", name="Paint", exact=True).click()
            pictures = page.locator(".gallery img")
            await pictures.nth(1).wait_for()
            assert await pictures.first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 16
            await page.reload()
            await page.get_by_role("button", name="Images").click()
            await pictures.nth(1).wait_for()
            assert await violations_in_any_look(page) == []
            await page.locator(".gallery button").last.click()
            await visitor.sees("16:9")
            assert await violations_in_any_look(page) == []
            async with page.expect_download() as download:
                await page.get_by_role("button", name="Download").click()
            name, saved = (await download.value).suggested_filename, (await (await download.value).path()).read_bytes()
        sent = [json.loads(visit.body)["parameters"] for visit in server.visits if visit.body]
    assert {parameters["seed"] for parameters in sent} == {7, 8}
    assert sent[0]["width"] > sent[0]["height"]
    assert name.endswith(".png")
    assert saved.startswith(b"\x89PNG")
    assert b'iTXtparameters\0\0\0\0\0{"model":"me/painter","prompt":"a red fox"' in saved


async def test_an_error_of_the_painter_is_shown(chromium: Any) -> None:
    async def refuses(visit: Visit) -> None:
        await visit.answer(b'{"error":"the prompt is not allowed"}', status="400 Bad Request")

    async with serving(refuses) as server:
        settings = Settings(api_base=(f"{server.url}/models/me/painter",), model="me/painter")
        async with gateway(settings) as url, visiting(chromium, url) as visitor:
            await visitor.page.get_by_role("button", name="Images").click()
            await visitor.page.get_by_label("What to paint").fill("a red fox")
            await visitor.page.get_by_role("button", name="Paint", exact=True).click()
            await visitor.page.get_by_role("alert").filter(has_text="not allowed").wait_for()
            visitor.wrong = [each for each in visitor.wrong if "400" not in each]
