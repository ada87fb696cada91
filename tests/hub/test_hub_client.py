"""Records of models, as the Hub gives them or refuses them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hfgen.errors import ConnectionFailed, HfgenError, MissingAuth, ModelNotSupportedError, ServerError
from hfgen.hub.client import ModelCache, get_model_data, hub_endpoint, hub_offline, hub_token, model_facts
from hfgen.transport.session import Session
from hub_server import Hub, serving_hub

RECORD = {
    "_id": "1",
    "id": "acme/tiny-chat",
    "author": "acme",
    "sha": "c0ffee",
    "pipeline_tag": "text-generation",
    "library_name": "transformers",
    "gated": "manual",
    "private": False,
    "tags": ["conversational"],
    "config": {
        "model_type": "llama",
        "tokenizer_config": {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": "{{ messages }}"},
    },
    "inferenceProviderMapping": {"together": {"status": "live", "providerId": "tiny", "task": "conversational"}},
}
PATH = "/api/models/acme/tiny-chat"


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


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_record_is_asked_with_all_that_the_facts_need(hub: Hub, session: Session) -> None:
    hub.replies[PATH] = RECORD
    assert await get_model_data(session, "acme/tiny-chat", cache=ModelCache()) == RECORD
    fields = hub.asked[0].query.getall("expand[]")
    assert {"config", "pipeline_tag", "library_name", "author", "sha", "gated", "private", "gguf", "tags"} < set(fields)
    assert "inferenceProviderMapping" in fields


async def test_facts_are_read_from_the_record(hub: Hub, session: Session) -> None:
    hub.replies[PATH] = RECORD
    facts = await model_facts(session, "acme/tiny-chat", cache=ModelCache())
    assert (facts.id, facts.family, facts.task, facts.revision) == (
        "acme/tiny-chat",
        "llama",
        "text-generation",
        "c0ffee",
    )
    assert facts.special_tokens == {"bos_token": "<s>", "eos_token": "</s>"}
    assert facts.templates == {"default": "{{ messages }}"}
    assert facts.gated
    assert [mapping.provider_id for mapping in facts.providers] == ["tiny"]


async def test_a_renamed_repository_is_followed_and_the_new_name_used(hub: Hub, session: Session) -> None:
    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"{PATH}?{request.query_string}")

    hub.replies["/api/models/tiny"] = moved
    hub.replies[PATH] = RECORD
    assert (await model_facts(session, "tiny", "hf_mine", cache=ModelCache())).id == "acme/tiny-chat"
    assert [request.headers.get("Authorization") for request in hub.asked] == ["Bearer hf_mine"] * 2


async def test_an_unknown_model_is_not_supported_and_the_error_says_what_to_check(hub: Hub, session: Session) -> None:
    with pytest.raises(ModelNotSupportedError, match=r"no model 'acme/none'[^\n]*\nCheck the owner and the name"):
        await get_model_data(session, "acme/none", cache=ModelCache())


@pytest.mark.parametrize("name", ["", "../x", "a/b/c", "a b", "a/..", "http://x", "a/b?x=1", "ä/b", "a/b\n"])
async def test_what_is_no_name_is_not_asked_for(hub: Hub, session: Session, name: str) -> None:
    with pytest.raises(ModelNotSupportedError, match="no name of a model"):
        await get_model_data(session, name, cache=ModelCache())
    assert not hub.asked


@pytest.mark.parametrize(
    ("status", "said"), [(401, "Invalid username or password."), (403, "Access to model acme/tiny-chat is restricted")]
)
async def test_a_private_or_gated_model_is_refused_in_the_hubs_own_words(
    hub: Hub, session: Session, status: int, said: str
) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"error": said}, status=status, headers={"X-Error-Message": said})

    hub.replies[PATH] = refuse
    with pytest.raises(MissingAuth) as caught:
        await get_model_data(session, "acme/tiny-chat", "hf_some_secret_token", cache=ModelCache())
    assert said in str(caught.value)
    assert "private or gated" in caught.value.hint
    assert caught.value.status == status
    assert "secret" not in str(caught.value)


async def test_a_page_in_place_of_a_record_is_an_error(hub: Hub, session: Session) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>Log in to the airport's network</html>", content_type="text/html")

    hub.replies[PATH] = page
    with pytest.raises(ServerError, match="text/html that is no JSON"):
        await get_model_data(session, "acme/tiny-chat", cache=ModelCache())


@pytest.mark.parametrize("reply", [[], {"error": None}, "text", 3])
async def test_json_that_is_no_record_is_an_error(hub: Hub, session: Session, reply: object) -> None:
    hub.replies[PATH] = reply
    with pytest.raises(HfgenError, match="no id"):
        await get_model_data(session, "acme/tiny-chat", cache=ModelCache())


async def test_offline_nobody_is_asked(hub: Hub, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HfgenError, match="HF_HUB_OFFLINE is set"):
        await get_model_data(session, "acme/tiny-chat", cache=ModelCache())
    assert not hub.asked


async def test_offline_a_record_that_is_known_still_serves(
    hub: Hub, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.replies[PATH] = RECORD
    cache = ModelCache()
    await get_model_data(session, "acme/tiny-chat", cache=cache)
    monkeypatch.setenv("HF_HUB_OFFLINE", "ON")
    assert (await get_model_data(session, "acme/tiny-chat", cache=cache))["id"] == "acme/tiny-chat"


async def test_a_hub_that_nobody_can_reach_is_a_failed_connection(session: Session) -> None:
    with pytest.raises(ConnectionFailed, match=r"Hub at http://127\.0\.0\.1:9"):
        await get_model_data(session, "acme/tiny-chat", cache=ModelCache())


async def test_a_record_is_asked_once_until_it_is_old(hub: Hub, session: Session) -> None:
    hub.replies[PATH] = RECORD
    clock = Clock()
    cache = ModelCache(clock=clock)
    for _ in range(3):
        await get_model_data(session, "acme/tiny-chat", cache=cache)
    assert len(hub.asked) == 1
    clock.now = 601.0
    await get_model_data(session, "acme/tiny-chat", cache=cache)
    assert len(hub.asked) == 2


async def test_a_failure_is_asked_again(hub: Hub, session: Session) -> None:
    cache = ModelCache()
    with pytest.raises(ModelNotSupportedError):
        await get_model_data(session, "acme/tiny-chat", cache=cache)
    hub.replies[PATH] = RECORD
    assert (await get_model_data(session, "acme/tiny-chat", cache=cache))["id"] == "acme/tiny-chat"


async def test_concurrent_callers_share_one_request(hub: Hub, session: Session) -> None:
    hub.replies[PATH] = RECORD
    cache = ModelCache()
    records = await asyncio.gather(*(get_model_data(session, "acme/tiny-chat", cache=cache) for _ in range(20)))
    assert len(hub.asked) == 1
    assert records == [RECORD] * 20


async def test_a_caller_that_leaves_with_its_session_takes_nobody_along(hub: Hub, session: Session) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        arrived.set()
        await go.wait()
        return web.json_response(RECORD)

    hub.replies[PATH] = slow
    cache = ModelCache()

    async def leaver() -> None:
        async with Session() as own:
            await get_model_data(own, "acme/tiny-chat", cache=cache)

    first = asyncio.create_task(leaver())
    await arrived.wait()
    second = asyncio.create_task(get_model_data(session, "acme/tiny-chat", cache=cache))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go.set()
    assert await second == RECORD


async def test_what_one_account_may_see_is_not_served_to_another(hub: Hub, session: Session) -> None:
    async def private(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer hf_owner":
            return web.json_response({"error": "Invalid username or password."}, status=401)
        return web.json_response(RECORD)

    hub.replies[PATH] = private
    cache = ModelCache()
    await get_model_data(session, "acme/tiny-chat", "hf_owner", cache=cache)
    for token in (None, "hf_stranger"):
        with pytest.raises(MissingAuth):
            await get_model_data(session, "acme/tiny-chat", token, cache=cache)
    assert "hf_owner" not in repr(cache._memory._values)


async def test_a_record_handed_out_is_the_callers_own(hub: Hub, session: Session) -> None:
    hub.replies[PATH] = RECORD
    cache = ModelCache()
    (await get_model_data(session, "acme/tiny-chat", cache=cache))["config"].clear()
    assert await get_model_data(session, "acme/tiny-chat", cache=cache) == RECORD


async def test_the_cache_is_a_mapping_by_the_models_name(hub: Hub, session: Session) -> None:
    hub.replies[PATH] = RECORD
    cache = ModelCache()
    assert "acme/tiny-chat" not in cache
    await get_model_data(session, "acme/tiny-chat", "hf_mine", cache=cache)
    assert list(cache) == ["acme/tiny-chat"]
    assert cache["acme/tiny-chat"] == RECORD
    del cache["acme/tiny-chat"]
    assert len(cache) == 0
    with pytest.raises(KeyError):
        del cache["acme/tiny-chat"]


async def test_a_record_set_by_hand_serves_everyone(hub: Hub, session: Session) -> None:
    cache = ModelCache()
    cache["acme/tiny-chat"] = RECORD
    assert await get_model_data(session, "acme/tiny-chat", "hf_mine", cache=cache) == RECORD
    assert await get_model_data(session, "acme/tiny-chat", cache=cache) == RECORD
    assert not hub.asked


def test_the_cache_is_bounded() -> None:
    cache = ModelCache(most=3)
    for number in range(10):
        cache[f"acme/{number}"] = RECORD
    assert list(cache) == ["acme/7", "acme/8", "acme/9"]


def test_another_hub_has_other_models(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ModelCache()
    cache["acme/tiny-chat"] = RECORD
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.org/")
    assert hub_endpoint() == "https://hub.example.org"
    assert not cache


def test_the_endpoint_is_hugging_faces_own_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    assert hub_endpoint() == "https://huggingface.co"


@pytest.mark.parametrize(
    ("value", "offline"), [("1", True), ("true", True), ("ON", True), ("Yes", True), ("0", False), ("", False)]
)
def test_offline_is_read_as_huggingface_hub_reads_it(
    monkeypatch: pytest.MonkeyPatch, value: str, offline: bool
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert hub_offline() is offline


def test_the_token_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", " hf_from_the_environment\r\n")
    assert hub_token() == "hf_from_the_environment"


def test_the_token_may_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_from_the_environment")
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert hub_token() is None


def test_an_empty_token_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", " \n")
    assert hub_token() is None


def test_a_login_that_fails_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_OIDC_RESOURCE", "acme/tiny-chat")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    with pytest.raises(MissingAuth, match="OIDC"):
        hub_token()


@pytest.fixture
def recordings(shared: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(shared.glob("recordings/hub/model_info__*.json"))]


@pytest.mark.shared
async def test_every_recorded_record_is_read(hub: Hub, session: Session, recordings: list[dict[str, Any]]) -> None:
    assert len(recordings) == 9
    for record in recordings:
        hub.replies[f"/api/models/{record['id']}"] = record
        facts = await model_facts(session, record["id"], cache=ModelCache())
        assert facts.id == record["id"]
        assert facts.task == record["pipeline_tag"]
        assert facts.family == record["config"].get("model_type", "")
        assert facts.makes_text or facts.makes_images
