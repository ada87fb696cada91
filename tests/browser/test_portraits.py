"""The pictures of the playground in the README, of the real local model. HFGEN_PORTRAITS=docs writes them anew."""

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gateway_server import gateway
from hfgen.gateway.settings import Settings
from playground import visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.engine]
_QUESTION = "Write a Python function that merges two sorted lists."
_SIZES: dict[str, dict[str, Any]] = {
    "playground": {"viewport": {"width": 1200, "height": 680}},
    "playground-dark": {"viewport": {"width": 1200, "height": 680}, "color_scheme": "dark"},
    "playground-phone": {"viewport": {"width": 390, "height": 720}, "has_touch": True, "is_mobile": True},
}


@pytest.mark.parametrize("name", _SIZES)
async def test_the_page_shows_an_answer_of_the_real_model(chromium: Any, tmp_path: Path, name: str) -> None:
    folder = Path(os.environ.get("HFGEN_PORTRAITS") or tmp_path)
    async with gateway(Settings()) as url, visiting(chromium, url, reduced_motion="reduce", **_SIZES[name]) as visitor:
        page = visitor.page
        page.set_default_timeout(60_000)
        await page.get_by_role("button", name="local").wait_for()
        await page.get_by_role("button", name="Settings").click()
        await page.get_by_label("System prompt").fill("You are a helpful assistant. Answer briefly.")
        await page.get_by_label("Temperature").fill("0")
        await page.get_by_role("button", name="Close: Settings").click()
        if "phone" not in name:
            await page.get_by_role("button", name="Exact prompt").click()
        await visitor.ask(_QUESTION)
        await page.get_by_role("button", name="Continue").wait_for()
        if "phone" not in name:
            await page.get_by_label("The exact prompt").get_by_text("<|im_start|>").first.wait_for()
        assert await page.locator(".prose code").count() > 0
        await page.mouse.move(200, 400)
        await page.screenshot(path=tmp_path / "whole.png")
    with Image.open(tmp_path / "whole.png") as whole:  # a third of the bytes, with no difference that can be seen
        whole.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)
