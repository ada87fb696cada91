"""The names of models: aliases that do not lie, lists that never fail silently."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hfgen.errors import HfgenError, MissingAuth, ServerError
from hfgen.hub.catalogue import (
    DEFAULT_IMAGE_MODEL,
    DEFAULT_MODEL,
    IMAGE_MODELS,
    LOCAL,
    MODEL_ALIASES,
    TEXT_MODELS,
    VISION_MODELS,
    built_in_models,
    list_models,
    router_endpoint,
    search_models,
)
from hfgen.hub.offers import Offer, Pricing, router_models
from hfgen.transport.session import Session
from hub_server import Hub, serving_hub

# What a repository's name may say beyond its alias: that it chats, its owner's mark, a release.
_PLAIN = {"instruct", "it", "hf", "meta", "beta", "c", "ai", "base", "vision"}
# And what was chosen where an alias leaves it open; a person has judged each.
_CHOSEN = {
    "command-r-plus": {"4", "08", "2024"},
    "flux": {"1", "dev"},
    "flux-dev": {"1"},
    "flux-schnell": {"1"},
    "hermes-3": {"llama", "3.1", "8b"},
    "llama-3": {"8b"},
    "mistral-7b": {"v", "0.3"},
    "mistral-nemo": {"2407"},
    "mixtral-8x7b": {"v", "0.1"},
    "nemotron-70b": {"llama", "3.1"},
    "sdxl": {"1.0"},
}
_SHORT = {"sd-": "stable-diffusion-", "sdxl": "stable-diffusion-xl"}


def words_of(name: str) -> set[str]:
    """Words and numbers: `Qwen2.5-72B` is qwen, 2.5, 72b."""
    return set(re.findall(r"\d+(?:\.\d+)?[a-z]?(?![a-z])|\d+|[a-z]+", name.lower()))


@pytest.mark.parametrize("alias", MODEL_ALIASES)
def test_an_alias_leads_to_the_model_that_it_names(alias: str) -> None:
    full = alias
    for short, long in _SHORT.items():
        full = full.replace(short, long)
    named = words_of(MODEL_ALIASES[alias].partition("/")[2])
    assert words_of(full) <= named, "the repository says all that the alias says"
    assert named - words_of(full) <= _PLAIN | _CHOSEN.get(alias, set()), "and nothing that makes it another model"


@pytest.mark.parametrize(
    ("alias", "lie"),
    [
        ("qwen-2.5-72b", "Qwen/Qwen2.5-Coder-32B-Instruct"),
        ("deepseek-r1", "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"),
        ("llama-3", "meta-llama/Llama-3.3-70B-Instruct"),
    ],
)
def test_the_test_above_finds_the_lies_of_the_reference_code(alias: str, lie: str) -> None:
    said, named = words_of(alias), words_of(lie.partition("/")[2])
    assert not said <= named or not named - said <= _PLAIN | _CHOSEN.get(alias, set())
    assert MODEL_ALIASES[alias] != lie


def test_the_defaults_are_built_in() -> None:
    assert TEXT_MODELS[0] == DEFAULT_MODEL == "Qwen/Qwen2.5-72B-Instruct"
    assert IMAGE_MODELS[0] == DEFAULT_IMAGE_MODEL == "black-forest-labs/FLUX.1-dev"
    assert not set(TEXT_MODELS) & set(IMAGE_MODELS)
    assert not set(TEXT_MODELS) & set(VISION_MODELS)


def test_the_built_in_models_need_nobody_and_hold_the_local_one() -> None:
    names = [model.id for model in built_in_models()]
    assert len(names) == len(set(names))
    assert {DEFAULT_MODEL, DEFAULT_IMAGE_MODEL, LOCAL, "openai-community/gpt2"} <= set(names)


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    async with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with Session() as opened:
        yield opened


def record(name: str, task: str, status: str = "live") -> dict[str, Any]:
    mapping = [{"provider": "together", "status": status, "providerId": name, "task": "conversational"}]
    return {"id": name, "pipeline_tag": task, "inferenceProviderMapping": mapping, "likes": 7, "gated": "auto"}


def lists(hub: Hub, **by_task: list[dict[str, Any]]) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(by_task.get(request.query["pipeline_tag"].replace("-", "_"), []))

    hub.replies["/api/models"] = answer


async def test_what_is_served_now_comes_first_then_the_built_in_names(hub: Hub, session: Session) -> None:
    lists(
        hub,
        text_generation=[record("new/one", "text-generation"), record(DEFAULT_MODEL, "text-generation")],
        text_to_image=[record("new/painter", "text-to-image")],
    )
    listed = await list_models(session, "hf_mine")
    names = [model.id for model in listed]
    assert names[:3] == ["new/one", DEFAULT_MODEL, "new/painter"]
    assert names[-1] == LOCAL
    assert len(names) == len(set(names)) == len(built_in_models()) + 2
    assert (listed[0].providers, listed[0].likes, listed[0].gated) == (("together",), 7, True)


async def test_the_hub_is_asked_for_what_trends_and_is_served(hub: Hub, session: Session) -> None:
    lists(hub)
    await list_models(session, "hf_mine")
    assert sorted(request.query["pipeline_tag"] for request in hub.asked) == [
        "image-text-to-text",
        "text-generation",
        "text-to-image",
    ]
    for request in hub.asked:
        assert (request.query["inference_provider"], request.query["sort"]) == ("all", "trendingScore")
        assert request.headers["Authorization"] == "Bearer hf_mine"


async def test_a_model_whose_providers_all_fail_is_not_listed(hub: Hub, session: Session) -> None:
    lists(hub, text_generation=[record("sick/one", "text-generation", status="error")])
    assert "sick/one" not in [model.id for model in await list_models(session)]


async def test_an_odd_line_costs_nobody_the_others(hub: Hub, session: Session) -> None:
    hub.replies["/api/models"] = [None, {}, {"id": 3}, {"id": "a/b", "likes": "many"}, {"id": "a/b"}]
    assert [model.id for model in await search_models(session, "b")] == ["a/b"]


async def test_a_search_passes_its_words_on(hub: Hub, session: Session) -> None:
    hub.replies["/api/models"] = []
    assert await search_models(session, "tiny chat", "text-generation", None, 5) == []
    query = hub.asked[0].query
    assert (query["search"], query["pipeline_tag"], query["limit"]) == ("tiny chat", "text-generation", "5")


async def test_a_failure_is_one_plain_error(hub: Hub, session: Session) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"error": "Invalid username or password."}, status=401)

    hub.replies["/api/models"] = refuse
    with pytest.raises(MissingAuth, match="Invalid username or password"):
        await list_models(session, "hf_wrong")


async def test_a_hub_that_answers_with_something_else_is_an_error(hub: Hub, session: Session) -> None:
    hub.replies["/api/models"] = {"models": []}
    with pytest.raises(ServerError, match="no list of models"):
        await list_models(session)


async def test_offline_no_list_is_asked_for(hub: Hub, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HfgenError, match="HF_HUB_OFFLINE"):
        await list_models(session)
    assert not hub.asked


async def test_every_metric_of_an_offer_may_be_missing(hub: Hub, session: Session) -> None:
    full = {"provider": "novita", "status": "error", "context_length": 4096, "pricing": {"input": 1, "output": 2.5}}
    hub.replies["/v1/models"] = {
        "object": "list",
        "data": [
            {"id": "a/b", "providers": [full, {"provider": "groq"}, {"provider": "x", "pricing": None}]},
            {"id": "c/d"},
            {"no": "id"},
            {"id": "odd/price", "providers": [{"provider": "x", "throughput": "fast"}]},
        ],
    }
    models = await router_models(session, "hf_mine")
    assert [model.id for model in models] == ["a/b", "c/d"]
    novita, groq, _ = models[0].providers
    assert novita == Offer("novita", "error", 4096, Pricing(1.0, 2.5))
    assert groq == Offer("groq")
    assert hub.asked[0].headers["Authorization"] == "Bearer hf_mine"


@pytest.mark.parametrize("reply", [[], {"data": None}, "text"])
async def test_a_router_that_lists_nothing_is_an_error(hub: Hub, session: Session, reply: object) -> None:
    hub.replies["/v1/models"] = reply
    with pytest.raises(ServerError, match="no list of models"):
        await router_models(session)


@pytest.fixture
def recorded_offers(shared: Path) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((shared / "recordings/hub/router_v1_models_item.json").read_text())
    return item


@pytest.mark.shared
async def test_the_recorded_offers_are_read(hub: Hub, session: Session, recorded_offers: dict[str, Any]) -> None:
    hub.replies["/v1/models"] = {"object": "list", "data": [recorded_offers]}
    model = (await router_models(session))[0]
    assert [offer.provider for offer in model.providers] == [
        "novita",
        "together",
        "fireworks-ai",
        "featherless-ai",
        "deepinfra",
    ]
    assert model.providers[0].pricing == Pricing(1.69, 3.38)
    assert model.providers[3].throughput is None


def test_the_router_is_hugging_faces_own_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert router_endpoint() == "https://router.huggingface.co"
    monkeypatch.setenv("HF_INFERENCE_ENDPOINT", "http://127.0.0.1:1/")
    assert router_endpoint() == "http://127.0.0.1:1"
