"""The reference class, row by row, against servers on loopback."""

import asyncio
import inspect
import json
import warnings
from typing import Any

import pytest

from hfgen import (
    FinishReason,
    HuggingFaceInference,
    ImageResponse,
    MissingAuth,
    ModelNotSupportedError,
    Reasoning,
    Session,
    ToolCallDelta,
    TruncatedStream,
    UnknownOption,
    Usage,
    UsageError,
)
from hfgen.events import Event
from hfgen.hub.client import MODEL_DATA
from hfgen.messages import Message
from hfgen.providers import notices
from hfgen.servers.address import parse_api_base
from loopback import Server, Visit, serving, soon
from pictures import picture_of

HELLO: list[Message] = [{"role": "user", "content": "Hello"}]
HALF: list[Message] = [*HELLO, {"role": "assistant", "content": "Well,"}]
TOKEN = "hf_a_token_for_tests_only"
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
CHATML += "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


def chunk(text: str | None = None, finish: str | None = None, **delta: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}]})


async def speak(visit: Visit, *events: str) -> None:
    await visit.begin_stream()
    for event in events:
        await visit.event(event)
    await visit.end_stream()


class Fake:
    """A Hugging Face on loopback: the Hub, the router, and any server beside them."""

    def __init__(self, records: dict[str, Any] | None = None, pages: dict[str, Any] | None = None) -> None:
        self.records = records or {}
        self.pages = pages or {}
        self.posts: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    async def __call__(self, visit: Visit) -> None:
        path = visit.path.partition("?")[0]
        if visit.method == "POST":
            self.posts.append((path, json.loads(visit.body), visit.headers))
            await self.generate(visit, path)
        elif path in self.pages:
            await visit.answer(json.dumps(self.pages[path]).encode())
        elif (name := path.removeprefix("/api/models/")) in self.records:
            await visit.answer(json.dumps({"id": name, **self.records[name]}).encode())
        elif path == "/api/models":
            await visit.answer(b'[{"id": "new/model", "pipeline_tag": "text-generation", "likes": 3}]')
        else:
            await visit.answer(b'{"error":"Repository not found"}', status="404 Not Found")

    async def generate(self, visit: Visit, path: str) -> None:
        if path.endswith("/chat/completions"):
            await speak(visit, chunk("Hi"), chunk(" there", "stop"), "[DONE]")
        elif path.endswith("/completions"):
            await speak(visit, '{"choices":[{"text":" well","finish_reason":null}]}',
                        '{"choices":[{"text":"","finish_reason":"length"}]}', "[DONE]")  # fmt: skip
        elif "image/png" in visit.headers["accept"]:
            await visit.answer(picture_of("JPEG"), "image/png")
        else:
            await speak(visit, '{"token":{"id":1,"text":" Sure","special":false},"generated_text":null}',
                        '{"token":{"id":2,"text":"</s>","special":true},"generated_text":"Sure",'
                        '"details":{"finish_reason":"eos_token","generated_tokens":2,"input_length":5}}')  # fmt: skip


@pytest.fixture(autouse=True)
def fresh() -> None:
    MODEL_DATA.clear()
    notices._said.clear()


def at_home(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_INFERENCE_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


async def ask(model: str | None = "", messages: list[Message] | None = None, **options: Any) -> list[Event]:
    answer = HuggingFaceInference.create_async_generator(model, HELLO if messages is None else messages, **options)
    return [event async for event in answer]


def text_of(events: list[Event]) -> str:
    return "".join(event for event in events if isinstance(event, str))


def test_the_attributes_are_the_reference_classs() -> None:
    provider = HuggingFaceInference()
    assert (provider.url, provider.parent, provider.working) == ("https://huggingface.co", "HuggingFace", True)
    assert provider.default_model == "Qwen/Qwen2.5-72B-Instruct"
    assert provider.default_image_model == "black-forest-labs/FLUX.1-dev"
    assert provider.default_image_model in provider.image_models
    assert provider.vision_models


def test_the_signature_is_the_reference_classs() -> None:
    names = list(inspect.signature(HuggingFaceInference.create_async_generator).parameters)
    assert " ".join(names[:16]) == (
        "model messages stream proxy timeout api_base api_key max_tokens temperature prompt action extra_data seed "
        "aspect_ratio width height"
    )


def test_every_alias_leads_to_the_model_that_it_names() -> None:
    for alias, repo in HuggingFaceInference.model_aliases.items():
        name = repo.lower() + repo.lower().replace("-", "")
        name += name.replace("stable-diffusion-xl", "sdxl").replace("stable-diffusion", "sd")
        assert all(word in name for word in alias.split("-")), (alias, repo)
    assert HuggingFaceInference.get_model("some/unknown") == "some/unknown"


def test_models_are_the_built_in_names_where_the_hub_is_out_of_reach() -> None:
    models = HuggingFaceInference.get_models()
    assert "local" in models
    assert HuggingFaceInference.default_model in models


async def test_models_are_listed_live_within_a_running_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Fake()) as server:
        at_home(server, monkeypatch)
        models = await asyncio.to_thread(HuggingFaceInference.get_models)
        assert {"local", "new/model", HuggingFaceInference.default_model} <= set(models)
        assert len(models) == len(set(models))
        async with Session() as session:
            assert await HuggingFaceInference.get_models_async(session) == models


async def test_model_data_comes_through_the_session_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Fake({"a/b": {"pipeline_tag": "text-generation"}})) as server:
        at_home(server, monkeypatch)
        async with Session() as session:
            both = await asyncio.gather(*(HuggingFaceInference.get_model_data(session, "a/b") for _ in range(5)))
            assert both[0]["pipeline_tag"] == "text-generation"
            assert len(server.visits) == 1
            assert HuggingFaceInference.model_data["a/b"] == both[0]
            with pytest.raises(ModelNotSupportedError, match="no model 'x/y'"):
                await HuggingFaceInference.get_model_data(session, "x/y")


async def test_a_chat_model_goes_through_the_routers_chat_route(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"pipeline_tag": "text-generation", "config": {"tokenizer_config": {"chat_template": CHATML}}}
    fake = Fake({"a/b": record})
    async with serving(fake) as server:
        at_home(server, monkeypatch)
        events = await ask("a/b:cheapest", bill_to="an-org", temperature=0.5)
        path, body, headers = fake.posts[0]
    assert text_of(events) == "Hi there"
    assert isinstance(events[-2], Usage)
    assert events[-1] == FinishReason("stop", model="a/b:cheapest", server="Hugging Face router")
    assert path == "/v1/chat/completions"
    assert (body["model"], body["temperature"], body["messages"]) == ("a/b:cheapest", 0.5, HELLO)
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["x-hf-bill-to"] == "an-org"


async def test_a_base_model_goes_to_a_raw_route_of_a_provider_that_serves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    served = {"hf-inference": {"status": "live", "providerId": "openai-community/gpt2", "task": "text-generation"}}
    record = {
        "pipeline_tag": "text-generation",
        "config": {"model_type": "gpt2", "tokenizer_config": {}},
        "inferenceProviderMapping": served,
    }
    fake = Fake({"openai-community/gpt2": record})
    async with serving(fake) as server:
        at_home(server, monkeypatch)
        events = await ask("gpt2", seed=7)
        path, body, _ = fake.posts[0]
    assert path == "/hf-inference/models/openai-community/gpt2"
    assert body["inputs"] == "Hello"
    assert (body["parameters"]["seed"], body["parameters"]["do_sample"]) == (7, True)
    assert text_of(events) == "Sure"
    assert events[-2:] == [Usage(5, 2), FinishReason("stop", model="openai-community/gpt2",
                                                     server="Hugging Face router (hf-inference)")]  # fmt: skip


async def test_continuing_sends_the_exact_prompt_up_to_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {
        "pipeline_tag": "text-generation",
        "config": {"model_type": "qwen2", "tokenizer_config": {"chat_template": CHATML, "eos_token": "<|im_end|>"}},
        "inferenceProviderMapping": {"together": {"status": "live", "providerId": "t/b", "task": "conversational"}},
    }
    fake = Fake({"a/b": record})
    async with serving(fake) as server:
        at_home(server, monkeypatch)
        events = await ask("a/b", HALF, action="continue")
        path, body, _ = fake.posts[0]
    assert path == "/together/v1/completions"
    assert body["model"] == "t/b"
    assert body["prompt"] == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nWell,"
    assert text_of(events) == " well"
    assert isinstance(end := events[-1], FinishReason)
    assert end.reason == "length"


async def test_a_model_that_nobody_serves_raw_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    served = {"groq": {"status": "live", "providerId": "x", "task": "conversational"}}
    record = {"pipeline_tag": "text-generation", "inferenceProviderMapping": served}
    async with serving(Fake({"a/b": record})) as server:
        at_home(server, monkeypatch)
        with pytest.raises(ModelNotSupportedError, match="served by groq"):
            await ask("a/b", prompt="Once")


async def test_a_task_that_is_neither_text_nor_pictures_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Fake({"a/b": {"pipeline_tag": "text-to-speech"}})) as server:
        at_home(server, monkeypatch)
        with pytest.raises(ModelNotSupportedError, match="text-to-speech"):
            await ask("a/b")


async def test_a_picture_comes_with_its_true_type_and_its_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    served = {"hf-inference": {"status": "live", "providerId": "a/paints", "task": "text-to-image"}}
    fake = Fake({"a/paints": {"pipeline_tag": "text-to-image", "inferenceProviderMapping": served}})
    async with serving(fake) as server:
        at_home(server, monkeypatch)
        events = await ask("a/paints", seed=3, aspect_ratio="16:9")
        _, body, _ = fake.posts[0]
    image = next(event for event in events if isinstance(event, ImageResponse))
    assert (image.media.media_type, image.prompt, image.seed) == ("image/jpeg", "Hello", 3)
    assert body["inputs"] == "Hello"
    assert body["parameters"] == {"width": 1376, "height": 768, "seed": 3}
    assert isinstance(events[-1], FinishReason)


async def test_a_remote_model_without_a_token_is_never_answered_by_another() -> None:
    with pytest.raises(MissingAuth, match=r"(?s)asks for a token.*api_base.*local"):
        await ask("meta-llama/Llama-3.3-70B-Instruct")


LLAMACPP = {"/props": {"default_generation_settings": {"n_ctx": 4096}, "chat_template": CHATML, "bos_token": "<s>"}}
VLLM = {"/version": {"version": "0.32.0"}, "/v1/models": {"data": [{"id": "my-model", "owned_by": "vllm"}]}}
TGI_INFO = {
    "/info": {
        "model_id": "a/b",
        "version": "3.0.0",
        "router": "text-generation-router",
        "max_concurrent_requests": 128,
        "max_best_of": 2,
        "max_stop_sequences": 4,
        "max_input_tokens": 1024,
        "max_total_tokens": 2048,
    }
}
OPENAI = {"/v1/models": {"data": [{"id": "some-model", "owned_by": "me"}]}}


@pytest.mark.parametrize(
    ("pages", "options", "path", "seen"),
    [
        (OPENAI, {}, "/v1/chat/completions", {"model": "some-model"}),
        (VLLM, {"top_k": 5}, "/v1/chat/completions", {"model": "my-model", "top_k": 5}),
        (TGI_INFO, {"top_p": 1.0}, "/v1/chat/completions", {"model": "tgi", "top_p": None}),
        (TGI_INFO, {"mode": "raw", "temperature": 0}, "/generate_stream", {"stream": True}),
        (LLAMACPP, {"mode": "raw", "repetition_penalty": 1.1}, "/v1/completions", {"repeat_penalty": 1.1}),
        (VLLM, {"prompt": "Once"}, "/v1/completions", {"prompt": "Once"}),
    ],
)
async def test_any_server_is_recognised_and_spoken_to(
    pages: dict[str, Any], options: dict[str, Any], path: str, seen: dict[str, Any]
) -> None:
    fake = Fake(pages=pages)
    async with serving(fake) as server:
        for base in (server.url, f"{server.url}/v1", f"{server.url}/v1/"):
            assert text_of(await ask("", api_base=base, **options))
            assert fake.posts[-1][0] == path
            assert {name: fake.posts[-1][1].get(name) for name in seen} == seen


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/completions", "/generate_stream", "/deep/v1/completions"]
)
async def test_a_full_path_is_asked_as_it_stands(path: str) -> None:
    fake = Fake()
    async with serving(fake) as server:
        assert text_of(await ask("m", api_base=server.url + path))
    assert fake.posts[0][0] == path


async def test_a_users_hugging_face_token_is_not_for_other_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fake = Fake(pages=OPENAI)
    async with serving(fake) as server:
        await ask("", api_base=server.url)
        assert not any("authorization" in visit.headers for visit in server.visits)
        await ask("", api_base=server.url, api_key="a-key-of-its-own")
        assert server.visits[-1].headers["authorization"] == "Bearer a-key-of-its-own"


def test_the_retired_host_is_rewritten_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="no longer in service"):
        address = parse_api_base("https://api-inference.huggingface.co/v1/")
    assert address.root == "https://router.huggingface.co"


@pytest.mark.parametrize(
    "wrong",
    [{"max_tokens": 0}, {"temperature": -1}, {"top_p": 2}, {"seed": 2**32}, {"timeout": 0}, {"mode": "loud"},
     {"action": "explode"}, {"action": "continue"}, {"width": 0}, {"aspect_ratio": "wide"}, {"messages": []},
     {"messages": [{"role": "king", "content": "x"}]}, {"messages": ["hi"]}],
)  # fmt: skip
def test_what_no_server_could_take_is_refused_before_any_io(wrong: dict[str, Any]) -> None:
    messages = wrong.pop("messages", HELLO)
    with pytest.raises(UsageError):
        HuggingFaceInference.create_async_generator("m", messages, **wrong)


def test_a_misspelt_option_raises_at_once_and_names_the_nearest() -> None:
    with pytest.raises(UnknownOption, match="top_p") as caught:
        HuggingFaceInference.create_async_generator("m", HELLO, topp=0.5)  # type: ignore[call-arg]
    assert isinstance(caught.value, TypeError)


async def test_an_option_that_the_server_would_ignore_is_said_once_or_raises() -> None:
    async with serving(Fake(pages=OPENAI)) as server:
        with pytest.warns(UserWarning, match="does not take top_k"):
            await ask("", api_base=server.url, top_k=3)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await ask("", api_base=server.url, top_k=3)
        with pytest.raises(UsageError, match="top_k"):
            await ask("", api_base=server.url, top_k=3, strict=True)


async def test_without_stream_the_text_comes_in_one_piece() -> None:
    async with serving(Fake(pages=OPENAI)) as server:
        events = await ask("", api_base=server.url, stream=False)
    assert [type(event) for event in events] == [str, Usage, FinishReason]
    assert events[0] == "Hi there"


async def test_reasoning_and_tool_calls_are_told_apart_from_the_text() -> None:
    class Thinker(Fake):
        async def generate(self, visit: Visit, path: str) -> None:
            call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            await speak(visit, chunk(None, reasoning_content="Hm."), chunk("<think>so"), chunk("</think>\n\nYes"),
                        chunk(None, tool_calls=[call]), chunk(None, "tool_calls"), "[DONE]")  # fmt: skip

    async with serving(Thinker(pages=OPENAI)) as server:
        events = await ask("", api_base=server.url)
    assert events[:-2] == [Reasoning("Hm."), Reasoning("so"), "Yes", ToolCallDelta(0, "c1", "f", "{}")]
    assert isinstance(end := events[-1], FinishReason)
    assert end.reason == "tool_calls"


async def test_a_cut_answer_is_never_taken_for_a_finished_one() -> None:
    class Cut(Fake):
        async def generate(self, visit: Visit, path: str) -> None:
            await speak(visit, chunk("Half an"), "[DONE]")

    async with serving(Cut(pages=OPENAI)) as server:
        with pytest.raises(TruncatedStream) as caught:
            await ask("m", api_base=server.url)
    assert caught.value.partial == "Half an"
    assert server.url in str(caught.value)


async def test_what_fails_before_its_first_word_is_asked_again() -> None:
    class Tired(Fake):
        async def generate(self, visit: Visit, path: str) -> None:
            if len(self.posts) == 1:
                await visit.answer(b'{"error":"loading","estimated_time":0.01}', status="503 Busy")
            else:
                await super().generate(visit, path)

    async with serving(Tired(pages=OPENAI)) as server:
        events = await ask("", api_base=server.url)
    assert text_of(events) == "Hi there"
    assert isinstance(end := events[-1], FinishReason)
    assert end.attempts == 2


async def test_closing_the_generator_closes_the_connection_at_once() -> None:
    gone = asyncio.Event()

    class Endless(Fake):
        async def generate(self, visit: Visit, path: str) -> None:
            await visit.begin_stream()
            await visit.event(chunk("word"))
            await visit.gone()
            gone.set()

    async with serving(Endless(pages=OPENAI)) as server:
        answer = HuggingFaceInference.create_async_generator("", HELLO, api_base=server.url)
        assert await anext(answer) == "word"
        await answer.aclose()
        await soon(gone, 250)


async def test_a_long_healthy_stream_outlives_the_timeout() -> None:
    class Slow(Fake):
        async def generate(self, visit: Visit, path: str) -> None:
            await visit.begin_stream()
            for _ in range(8):
                await visit.event(chunk("tick "))
                await asyncio.sleep(0.06)
            await visit.event(chunk(None, "stop"))
            await visit.end_stream()

    async with serving(Slow(pages=OPENAI)) as server:
        assert text_of(await ask("", api_base=server.url, timeout=0.3)) == "tick " * 8


async def test_a_session_is_shared_and_stays_open() -> None:
    ports: list[int] = []

    class Counting(Fake):
        async def __call__(self, visit: Visit) -> None:
            ports.append(visit.writer.get_extra_info("peername")[1])
            await super().__call__(visit)

    async with serving(Counting(pages=OPENAI)) as server, Session() as session:
        await ask("m", api_base=server.url, session=session)
        opened = set(ports)
        for _ in range(4):
            await ask("m", api_base=server.url, session=session)
    assert set(ports) == opened
