"""A caller's name for a model leads where the gateway's owner said, and nowhere else."""

import json
from pathlib import Path

import pytest

from gateway_server import gateway, post
from hfgen.gateway.names import Route, routes_of
from hfgen.gateway.settings import Settings
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
HELLO = [{"role": "user", "content": "Hi"}]


async def llamacpp(visit: Visit) -> None:
    if visit.path == "/v1/models":
        await visit.answer(b'{"object":"list","data":[{"id":"/models/toy.gguf","object":"model","owned_by":"me"}]}')
    elif visit.path == "/v1/chat/completions":
        await visit.answer(b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}')
    else:
        await visit.answer(b'{"error":"no such route"}', status="404 Not Found")


def test_an_address_in_a_name_is_the_owner_s_to_give() -> None:
    names = {"mine": ("m@http://127.0.0.1:1", "owner/m:fal-ai")}
    assert routes_of("mine", names) == (Route("m", "http://127.0.0.1:1"), Route("owner/m:fal-ai"))
    assert routes_of("m@http://127.0.0.1:1", names) == (Route("m@http://127.0.0.1:1"),)


@pytest.mark.parametrize("route", ["chat/completions", "prompt"])
async def test_a_caller_sends_the_gateway_and_its_token_to_no_server(route: str) -> None:
    async with serving(llamacpp) as strange, gateway(Settings(upstream_key="hf_secret_secret_1")) as url:
        status, _ = await post(f"{url}/v1/{route}", {"model": f"m@{strange.url}", "messages": HELLO})
    assert status >= 400
    assert strange.visits == []


@pytest.mark.parametrize("route", ["chat/completions", "prompt"])
async def test_a_caller_has_no_file_of_the_gateway_s_machine_read(route: str, tmp_path: Path) -> None:
    config = {"chat_template": "secret {{ messages }}"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    async with serving(llamacpp) as server, gateway(Settings(api_base=(server.url,))) as url:
        status, answer = await post(f"{url}/v1/{route}", {"model": str(tmp_path), "messages": HELLO})
    assert (status, answer["error"]["code"]) == (404, "model_not_supported_error")
    assert not any("chat" in visit.path for visit in server.visits)


async def test_a_path_that_the_server_behind_lists_is_its_model_s_name() -> None:
    async with serving(llamacpp) as server, gateway(Settings(api_base=(server.url,))) as url:
        status, answer = await post(f"{url}/v1/chat/completions", {"model": "/models/toy.gguf", "messages": HELLO})
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "Hi")


@pytest.mark.parametrize("spelt", ["toy@{url}", "@{url}", "{url}", "{url}/v1/chat/completions"])
async def test_no_spelling_of_a_name_is_an_address(spelt: str) -> None:
    async with (
        serving(llamacpp) as named,
        serving(llamacpp) as other,
        gateway(Settings(api_base=(named.url,), upstream_key="a-secret")) as url,
    ):
        await post(f"{url}/v1/chat/completions", {"model": spelt.format(url=other.url), "messages": HELLO})
    assert other.visits == []
