"""Any request can be had as a program, and the programs run."""

import asyncio
import json
import os
import shutil
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest

from loopback import Visit
from playground import Visitor, chatting, lacking
from talking_model import LISTED, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser]
_QUESTION = 'It\'s "quoted", $HOME and `id`\n\\ é'
_CLIPBOARD = ["clipboard-read", "clipboard-write"]


async def echo(visit: Visit, asked: dict[str, Any]) -> None:
    await say(visit, ["You said ", asked["messages"][-1]["content"]])


def interpreter(form: str) -> list[str]:
    """What runs a program that is given as the next word."""
    if form == "curl":
        return ["sh", "-c"] if shutil.which("curl") else lacking("no curl here")
    if form == "Python":
        return [sys.executable, "-c"]
    # The package's dependencies are not ours: it lives in an environment of its own.
    python = os.environ.get("HFGEN_OPENAI_PYTHON")
    return [python, "-c"] if python else pytest.skip("HFGEN_OPENAI_PYTHON names no Python that has the openai package")


def words(form: str, printed: str) -> str:
    """What the model said, out of what a program printed."""
    if form != "curl":
        return printed
    lines = [line.removeprefix("data: ") for line in printed.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    choices = [json.loads(line)["choices"] for line in lines[:-1]]
    return "".join(each[0]["delta"].get("content") or "" for each in choices if each)


async def copied(visitor: Visitor, form: str) -> str:
    """The request as a program, out of the clipboard."""
    page = visitor.page
    await page.get_by_role("button", name="Copy as a program").click()
    await page.get_by_role("button", name=form, exact=True).click()
    shown = await page.get_by_label(f"The request for {form}").inner_text()
    await page.get_by_role("dialog").get_by_role("button", name="Copy", exact=True).click()
    await page.get_by_role("dialog").get_by_role("status").filter(has_text="Copied").wait_for()
    program: str = await page.evaluate("navigator.clipboard.readText()")
    assert program == shown
    return program


@pytest.mark.parametrize("form", ["curl", "Python", "openai"])
async def test_the_program_asks_the_same_and_prints_the_answer(chromium: Any, form: str) -> None:
    run = interpreter(form)
    async with chatting(chromium, echo, permissions=_CLIPBOARD) as visitor:
        await visitor.page.get_by_role("button", name=LISTED[0]).wait_for()
        await visitor.page.get_by_role("button", name="Settings").click()
        await visitor.page.get_by_label("Temperature").fill("0.2")
        await visitor.page.get_by_label("Top k").fill("4")
        await visitor.page.locator("#question").fill(_QUESTION)
        program = await copied(visitor, form)
        assert urlsplit(visitor.page.url).netloc in program
        running = await asyncio.create_subprocess_exec(
            *run, program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        printed, complaints = await running.communicate()
    assert running.returncode == 0, complaints.decode()
    assert words(form, printed.decode()) == f"You said {_QUESTION}"
    (body,) = [json.loads(visit.body) for visit in visitor.model.visits if visit.body]
    assert body["model"] == LISTED[0]
    assert body["messages"] == [{"role": "user", "content": _QUESTION}]
    assert body["temperature"] == 0.2
    assert body.get("top_k") == 4 or "does not take top_k: it is left out" in complaints.decode()
