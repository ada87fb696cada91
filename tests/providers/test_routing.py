"""What a route does with what it was given: nothing is lost without a word, and nobody waits twice for a dead Hub."""

import json
from typing import Any

import pytest

from hfgen import ConnectionFailed, HuggingFaceInference, ModelNotSupportedError, UsageError
from hfgen.messages import Message
from hfgen.providers import notices
from hfgen.providers.notices import OptionIgnored
from loopback import Visit, serving

HELLO: list[Message] = [{"role": "user", "content": "Hello"}]
OPENAI = {"/v1/models": {"data": [{"id": "m", "owned_by": "me"}]}}
TGI = {"/info": {"model_id": "acme/base", "max_total_tokens": 2048, "version": "3.0.0"}}
TGI_TOKEN = '{"token":{"id":1,"text":"ok","special":false},"generated_text":"ok","details":{"finish_reason":"length"}}'


class Fake:
    """Any server: its pages, and one word as every answer."""

    def __init__(self, pages: dict[str, Any]) -> None:
        self.pages = pages
        self.posts: list[Visit] = []

    async def __call__(self, visit: Visit) -> None:
        path = visit.path.partition("?")[0]
        if visit.method == "POST" and path != "/tokenize":
            self.posts.append(visit)
            await visit.begin_stream()
            chunk = '{"choices":[{"delta":{"content":"ok"},"text":"ok","finish_reason":"stop"}]}'
            await visit.event(TGI_TOKEN if b'"inputs"' in visit.body else chunk)
            await visit.end_stream()
        elif path in self.pages:
            await visit.answer(json.dumps(self.pages[path]).encode())
        else:
            await visit.answer(b'{"error":"none"}', status="404 Not Found")

    @property
    def body(self) -> dict[str, Any]:
        """Of the last question."""
        body: dict[str, Any] = json.loads(self.posts[-1].body)
        return body


@pytest.fixture(autouse=True)
def fresh() -> None:
    notices._said.clear()


async def ask(model: str, **options: Any) -> str:
    answer = HuggingFaceInference.create_async_generator(model, HELLO, **options)
    return "".join([event async for event in answer if isinstance(event, str)])


@pytest.mark.parametrize("option", ["provider", "bill_to"])
async def test_an_option_of_the_router_is_said_to_be_lost_on_another_server(option: str) -> None:
    async with serving(Fake(OPENAI)) as server:
        with pytest.warns(OptionIgnored, match=f"does not take {option}"):
            assert await ask("m", api_base=server.url, **{option: "an-org"}) == "ok"
        with pytest.raises(UsageError, match=option):
            await ask("m", api_base=server.url, strict=True, **{option: "an-org"})


@pytest.mark.parametrize("path", ["", "/v1", "/v1/chat/completions"])
async def test_the_routers_own_address_is_asked_as_the_router(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"/api/models/a/b": {"id": "a/b", "pipeline_tag": "text-generation", "config": {}}})
    fake.pages["/api/models/a/b"]["inferenceProviderMapping"] = {
        "together": {"status": "live", "providerId": "t/b", "task": "conversational"}
    }
    async with serving(fake) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_a_token_for_tests_only")
        assert await ask("a/b", api_base=server.url + path, provider="together", bill_to="an-org") == "ok"
        assert fake.body["model"] == "a/b:together"
        assert fake.posts[-1].headers["x-hf-bill-to"] == "an-org"
        assert fake.posts[-1].headers["authorization"] == "Bearer hf_a_token_for_tests_only"
        assert await ask("a/b:fastest", api_base=server.url + path, prompt="Once") == "ok"
        assert fake.posts[-1].path == "/together/v1/completions"


@pytest.mark.parametrize(
    ("old", "path"),
    [
        ("", "/v1/chat/completions"),
        ("/v1", "/v1/chat/completions"),
        ("/models/a/b", "/hf-inference/models/a/b"),
        ("/models/a/b/v1/chat/completions", "/hf-inference/models/a/b/v1/chat/completions"),
    ],
)
async def test_each_address_of_the_retired_host_is_asked_at_the_router_with_the_users_token(
    old: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = {"chat_template": "{{ messages[0].content }}"}
    record = {"id": "a/b", "pipeline_tag": "text-generation", "config": {"tokenizer_config": tokenizer}}
    fake = Fake({"/api/models/a/b": record})
    async with serving(fake) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_a_token_for_tests_only")
        with pytest.warns(UserWarning, match="no longer in service"):
            answer = await ask("a/b", api_base=f"https://api-inference.huggingface.co{old}", bill_to="an-org")
    assert answer == "ok"
    assert fake.posts[-1].path == path
    assert fake.posts[-1].headers["authorization"] == "Bearer hf_a_token_for_tests_only"
    assert fake.posts[-1].headers["x-hf-bill-to"] == "an-org"


@pytest.mark.parametrize("task", ["text-generation", "image-text-to-text", "text2text-generation", "conversational"])
@pytest.mark.parametrize(("template", "path"), [(True, "/v1/chat/completions"), (False, "/hf-inference/models/a/b")])
async def test_a_task_that_ends_in_text_is_answered_whatever_the_models_name(
    task: str, template: bool, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = {"hf-inference": {"status": "live", "providerId": "a/b", "task": "text-generation"}}
    tokenizer = {"chat_template": "{{ messages[0].content }}"} if template else {}
    record = {"id": "a/b", "pipeline_tag": task, "inferenceProviderMapping": mapping}
    fake = Fake({"/api/models/a/b": {**record, "config": {"tokenizer_config": tokenizer}}})
    async with serving(fake) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_a_token_for_tests_only")
        assert await ask("a/b") == "ok"
    assert fake.posts[-1].path == path


@pytest.mark.parametrize("mode", ["chat", "raw"])
@pytest.mark.parametrize(
    ("model", "adapter"),
    [("", ""), ("acme/base", ""), ("base", ""), ("Acme/Base", ""), ("acme/my-lora", "acme/my-lora")],
)
async def test_tgi_gets_the_name_of_an_adapter_and_never_that_of_its_own_model(
    model: str, adapter: str, mode: str
) -> None:
    fake = Fake(TGI)
    async with serving(fake) as server:
        assert await ask(model, api_base=server.url, mode=mode) == "ok"
        if mode == "chat":
            assert fake.body["model"] == (adapter or "tgi")
        else:
            assert fake.body["parameters"].get("adapter_id", "") == adapter
        await ask(model, api_base=f"{server.url}/v1/completions")
        assert fake.body["model"] == (adapter or "tgi")


async def test_a_hub_that_does_not_answer_is_waited_for_once_while_the_router_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    async def hub(visit: Visit) -> None:
        asked.append(visit.path)
        await visit.answer(b"{}", status="502 Bad Gateway")

    async with serving(hub) as away, serving(Fake({})) as router:
        monkeypatch.setenv("HF_ENDPOINT", away.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", router.url)
        monkeypatch.setenv("HF_TOKEN", "hf_a_token_for_tests_only")
        assert [await ask(model) for model in ("a/b", "a/b", "c/d")] == ["ok"] * 3
        assert len(asked) == 1
        models = await HuggingFaceInference.get_models_async()
        assert "local" in models
        assert len(asked) > 1  # who asks for the list has it asked for


async def test_a_known_record_serves_while_the_hub_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"id": "a/b", "pipeline_tag": "text-to-speech"}
    async with serving(Fake({})) as router:
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", router.url)
        monkeypatch.setenv("HF_TOKEN", "hf_a_token_for_tests_only")
        assert await ask("c/d") == "ok"  # and now it is known that nobody answers
        HuggingFaceInference.model_data["a/b"] = record  # type: ignore[index]
        with pytest.raises(ModelNotSupportedError, match="text-to-speech"):
            await ask("a/b")


async def test_offline_neither_the_hub_nor_the_router_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_TOKEN", "hf_a_token_for_tests_only")
    async with serving(Fake(OPENAI)) as router:
        monkeypatch.setenv("HF_ENDPOINT", router.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", router.url)
        with pytest.raises(ConnectionFailed, match="HF_HUB_OFFLINE is set"):
            await ask("owner/model")

    assert router.visits == []


async def test_offline_a_server_that_the_caller_names_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    async with serving(Fake(OPENAI)) as server:
        assert await ask("owner/model", api_base=server.url) == "ok"
