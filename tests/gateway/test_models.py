"""What a gateway without a server of its own lists: names, the local model, and what the token reaches."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway_server import gateway, get
from hfgen.gateway.settings import Settings
from hub_server import Hub, serving_hub

pytestmark = pytest.mark.anyio
SERVED = {"cerebras": {"status": "live", "providerId": "x", "task": "conversational"}}
RECORD: dict[str, Any] = {
    "id": "me/writer",
    "pipeline_tag": "text-generation",
    "inferenceProviderMapping": SERVED,
}


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    async with serving_hub() as hub:
        hub.replies["/api/models"] = [RECORD]
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", hub.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield hub


async def test_with_a_token_the_list_has_what_it_reaches_behind_the_names_of_the_configuration(hub: Hub) -> None:
    settings = Settings(upstream_key="hf_mine", names={"fast": ("local", "me/writer:cerebras")})
    async with gateway(settings) as url:
        _, answer = await get(f"{url}/v1/models")
    ids = [model["id"] for model in answer["data"]]
    assert ids[0] == "fast"
    assert "me/writer" in ids
    assert len(ids) == len(set(ids))
    assert all(request.headers["Authorization"] == "Bearer hf_mine" for request in hub.asked)
    assert {"id", "object", "created", "owned_by"} <= answer["data"][0].keys()


async def test_a_model_is_found_by_its_name_and_by_whom_it_is_served(hub: Hub) -> None:
    async with gateway(Settings(upstream_key="hf_mine")) as url:
        for name in ("me/writer", "me/writer:cerebras", "me/writer:fastest"):
            status, answer = await get(f"{url}/v1/models/{name}")
            assert (status, answer["id"], answer["owned_by"]) == (200, name, "cerebras")
        for name in ("me/writer:nobody", "me/other:cerebras", "me/writer:"):
            status, answer = await get(f"{url}/v1/models/{name}")
            assert (status, answer["error"]["code"]) == (404, "model_not_found")


async def test_a_hub_that_does_not_answer_takes_nothing_else_off_the_list(hub: Hub) -> None:
    hub.replies.clear()
    async with gateway(Settings(upstream_key="hf_mine", names={"fast": ("local",)})) as url:
        status, answer = await get(f"{url}/v1/models")
    assert (status, answer["data"][0]["id"]) == (200, "fast")
