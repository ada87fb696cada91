"""The `openai` package itself drives the gateway, from an environment of its own.

HFGEN_OPENAI_PYTHON names that environment's Python: the package's dependencies are not hfgen's.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from gateway_server import gateway
from hfgen.gateway.settings import Settings
from loopback import Visit, serving
from pictures import png

pytestmark = pytest.mark.anyio
PYTHON = os.environ.get("HFGEN_OPENAI_PYTHON", "")
SCRIPT = Path(__file__).parent / "clients" / "openai_package.py"
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def said(body: dict[str, Any]) -> list[dict[str, Any]]:
    """What a model says to this request."""
    if "Break" in str(body.get("messages")):
        return [chunk({"content": "Hi"}), {"error": {"message": "out of memory"}}]
    if body.get("tools"):
        function = {"name": "weather", "arguments": '{"city":'}
        first = {"index": 0, "id": "call_1", "type": "function", "function": function}
        rest = {"index": 0, "function": {"arguments": '"Rome"}'}}
        return [chunk({"tool_calls": [first]}), chunk({"tool_calls": [rest]}, "tool_calls"), USAGE]
    if body.get("response_format"):
        return [chunk({"content": '{"ok":true}'}, "stop"), USAGE]
    if "prompt" in body:
        texts = (("Hi", None), (" there", "stop"))
        return [{"choices": [{"index": 0, "text": text, "finish_reason": end}]} for text, end in texts]
    return [chunk({"content": "Hi"}), chunk({"content": " there"}, "stop"), USAGE]


async def answers(visit: Visit) -> None:
    if visit.path == "/v1/models":
        await visit.answer(b'{"object":"list","data":[{"id":"toy","object":"model","owned_by":"me"}]}')
    elif visit.path.startswith("/models/me/painter") and visit.method == "POST":
        await visit.answer(png(), "image/png")
    elif visit.method == "POST":
        await visit.begin_stream()
        for event in said(json.loads(visit.body)):
            await visit.event(json.dumps(event))
        await visit.event("[DONE]")
        await visit.end_stream()
    else:
        await visit.answer(b'{"error":"no such route"}', status="404 Not Found")


@pytest.mark.skipif(not PYTHON, reason="HFGEN_OPENAI_PYTHON names no Python that has the openai package")
async def test_the_openai_package_gets_from_the_gateway_what_it_gets_from_openai() -> None:
    async with serving(answers) as server:
        names = {"painter": (f"me/painter@{server.url}/models/me/painter",)}
        async with gateway(Settings(api_base=(server.url,), names=names)) as url:
            client = await asyncio.create_subprocess_exec(
                PYTHON, str(SCRIPT), url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            done, complaint = await asyncio.wait_for(client.communicate(), 90)
    assert client.returncode == 0, f"{done.decode()}\n{complaint.decode()}"
    assert len(done.split()) == 11
