"""Every provider's pictures end to end over loopback: what was recorded, byte for byte; who is asked; errors."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hfgen import HuggingFaceInference
from hfgen.errors import (
    BadRequest,
    ConnectionFailed,
    ContentFiltered,
    GenerationError,
    HfgenError,
    ModelLoading,
    ModelNotSupportedError,
    PaymentRequired,
    RateLimited,
    ServerError,
    UsageError,
)
from hfgen.events import Event, FinishReason
from hfgen.providers.notices import OptionIgnored
from hfgen.providers.routes import IMAGE_PROVIDERS
from loopback import serving
from painters import (
    ASTRONAUT,
    MODEL,
    PACKED,
    PNG,
    RECORD,
    SERVED,
    TOKEN,
    House,
    Said,
    answered,
    ask,
    at_home,
    pictures,
    recorded,
    said,
    unseeded,
)

# --- recorded -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t2i_hf-inference.yaml", "t2i_together.yaml"])
async def test_a_recorded_picture_comes_out_byte_for_byte(
    name: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, paint = recorded(shared, name)
    record = {"pipeline_tag": "text-to-image", **json.loads(hub["response"]["body"]["string"])}
    provider = name.removeprefix("t2i_").removesuffix(".yaml")
    record.setdefault(
        "inferenceProviderMapping",
        {"hf-inference": {"status": "live", "providerId": record["id"], "task": "text-to-image"}},
    )
    path = paint["request"]["uri"].removeprefix("https://router.huggingface.co")
    house = House(record, {f"POST {path}": [answered(paint)]})
    async with at_home(house, monkeypatch):
        events = await ask(record["id"], provider=provider)
    (image,) = pictures(events)
    assert unseeded(house.visits[0]) == json.loads(paint["request"]["body"])
    raw = answered(paint).body
    assert image.media.data == (
        raw if name == "t2i_hf-inference.yaml" else base64.b64decode(json.loads(raw)["data"][0]["b64_json"])
    )
    assert image.media.media_type == "image/jpeg"
    assert isinstance(events[-1], FinishReason)


async def test_a_recorded_picture_with_a_size_is_asked_for_as_it_was_then(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (paint,) = recorded(shared, "old_t2i_with_parameters.yaml")
    house = House(RECORD, {f"POST /hf-inference/models/{MODEL}": [answered(paint)]})
    async with at_home(house, monkeypatch):
        events = await ask(provider="hf-inference", width=256, height=256)
    assert unseeded(house.visits[0]) == json.loads(paint["request"]["body"])
    assert pictures(events)[0].media.data == (shared / "recordings/images/old_t2i_with_parameters.jpg").read_bytes()


async def test_nscale_hands_over_base64(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(RECORD, {"POST /nscale/v1/images/generations": [said({"data": [{"b64_json": PACKED}]})]})
    async with at_home(house, monkeypatch):
        events = await ask(provider="nscale")
    assert pictures(events)[0].media.data == PNG


# --- who is asked -------------------------------------------------------------------------------------------------


async def test_the_first_live_provider_that_paints_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    order = {name: SERVED[name] for name in ("nebius", "groq", "together", "fal-ai")}
    house = House(
        {**RECORD, "inferenceProviderMapping": order},
        {"POST /together/v1/images/generations": [said({"data": [{"b64_json": PACKED}]})]},
    )
    async with at_home(house, monkeypatch):
        events = await ask(provider="auto")
    assert pictures(events)[0].provider in ("", "together")
    assert house.asked == ["POST /together/v1/images/generations"]


@pytest.mark.parametrize("provider", ["groq", "nebius", "cohere"])
async def test_a_provider_that_does_not_paint_is_refused_early_and_others_are_named(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(RECORD, {})
    async with at_home(house, monkeypatch):
        with pytest.raises(ModelNotSupportedError, match=f"{provider}.*\n.*fal-ai, replicate, together"):
            await ask(provider=provider)
    assert house.visits == []


TEXT_RECORD = {
    "pipeline_tag": "text-generation",
    "tags": ["conversational"],
    "inferenceProviderMapping": {"groq": {"status": "live", "providerId": "x", "task": "conversational"}},
}


@pytest.mark.parametrize(
    "option", [{"guidance_scale": 3.0}, {"width": 512}, {"aspect_ratio": "1:1"}, {"seed": 1, "scheduler": "euler"}]
)
async def test_a_model_for_text_refuses_an_option_of_pictures_and_names_it(
    option: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(TEXT_RECORD, {})
    async with at_home(house, monkeypatch):
        with pytest.raises(
            ModelNotSupportedError, match="owner/text is a model for text-generation: it makes no"
        ) as caught:
            await ask("owner/text", **option)
    assert list(option)[-1] + "=" in caught.value.hint
    assert house.visits == []


async def test_who_asks_for_words_gets_them_and_hears_that_an_option_of_pictures_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = {"choices": [{"index": 0, "message": {"content": "Paris"}, "finish_reason": "stop"}]}
    house = House(TEXT_RECORD, {"POST /v1/chat/completions": [said(answer)]})
    async with at_home(house, monkeypatch):
        with pytest.warns(OptionIgnored, match="guidance_scale"):
            events = [
                event
                async for event in HuggingFaceInference.create_async_generator(
                    "owner/text", [{"role": "user", "content": "x"}], mode="chat", guidance_scale=3.0
                )
            ]
    assert events[0] == "Paris"


async def test_a_server_without_a_route_for_pictures_is_said_to_have_been_asked_for_one() -> None:
    house = House({}, {"GET /v1/models": [said({"data": [{"id": "m", "owned_by": "vllm"}]})]})
    async with serving(house) as server:
        with pytest.raises(ModelNotSupportedError) as caught:
            await ask("m", api_base=server.url, guidance_scale=3.0)
    assert caught.value.hint.startswith("It was asked for a picture")


async def test_without_the_hub_nobody_is_said_to_serve_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(House({}, {})) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(ConnectionFailed, match="Hub does not answer"):
        await ask(total_timeout=20)


async def test_a_model_that_nobody_paints_with_is_refused_early(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House({**RECORD, "inferenceProviderMapping": {"groq": SERVED["groq"]}}, {})
    async with at_home(house, monkeypatch):
        with pytest.raises(ModelNotSupportedError, match="fal-ai, hf-inference, nscale"):
            await ask()


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ({}, (1376, 768)),
        ({"config": {"diffusers": {"_class_name": "QwenImagePipeline"}}}, (1664, 928)),
        ({"tags": ["base_model:adapter:stabilityai/stable-diffusion-xl-base-1.0"]}, (1344, 768)),
    ],
)
async def test_a_ratio_becomes_the_size_that_the_model_of_the_record_likes(
    more: dict[str, object], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House({**RECORD, **more}, {POST_OF["together"]: [said({"data": [{"b64_json": PACKED}]})]})
    async with at_home(house, monkeypatch):
        await ask(provider="together", aspect_ratio="landscape")
    sent = json.loads(house.visits[0].body)
    assert (sent["width"], sent["height"]) == size


async def test_the_weights_that_the_mapping_names_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    served = {"fal-ai": {**SERVED["fal-ai"], "providerId": "fal-ai/lora", "adapterWeightsPath": "pixel.safetensors"}}
    house = House(
        {**RECORD, "inferenceProviderMapping": served},
        {"POST /fal-ai/fal-ai/lora?_subdomain=queue": [said({"images": [{"url": f"data:image/png;base64,{PACKED}"}]})]},
    )
    async with at_home(house, monkeypatch):
        events = await ask("nerijs/pixel-art-xl")
    sent = json.loads(house.visits[0].body)
    assert sent["loras"] == [
        {"path": "https://huggingface.co/nerijs/pixel-art-xl/resolve/main/pixel.safetensors", "scale": 1}
    ]
    assert sent["model_name"] == "stabilityai/stable-diffusion-xl-base-1.0"
    assert pictures(events)[0].media.data == PNG


async def test_a_full_path_of_openai_s_image_route_is_asked_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House({}, {"POST /v1/images/generations": [said({"data": [{"b64_json": PACKED, "revised_prompt": "so"}]})]})
    async with serving(house) as server:
        events = await ask("any", api_base=f"{server.url}/v1/images/generations")
    (image,) = pictures(events)
    assert (image.media.data, image.revised_prompt, image.prompt) == (PNG, "so", ASTRONAUT)


@pytest.mark.parametrize("listed", [{"data": [{"id": "sd"}]}, None])
async def test_an_openai_like_server_is_asked_for_pictures_below_v1(
    listed: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"POST /v1/images/generations": [said({"data": [{"b64_json": PACKED}]})]}
    if listed:
        answers["GET /v1/models"] = [said(listed)]
    house = House({}, answers)
    async with serving(house) as server:
        events = await ask("sd", api_base=server.url, aspect_ratio="1:1")
    assert pictures(events)[0].media.data == PNG
    assert json.loads(house.visits[-1].body)["size"] == "1024x1024"


async def test_a_provider_without_a_row_is_asked_in_openai_s_language_by_its_whole_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(RECORD, {"POST /nebius/v1/images/generations": [said({"data": [{"b64_json": PACKED}]})]})
    async with serving(house) as server:
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        events = await ask("flux", api_base=f"{server.url}/nebius/v1/images/generations")
    assert pictures(events)[0].media.data == PNG
    assert house.visits[-1].headers["authorization"] == f"Bearer {TOKEN}"


async def several(house: House, **asked: Any) -> tuple[list[Any], list[int]]:
    """What was asked of seeds and numbers for three pictures, and the seeds that the pictures say."""
    events = await ask(n=3, **asked)
    bodies = [json.loads(visit.body) for visit in house.visits if visit.method == "POST"]
    sent = [(body.get("seed"), body.get("n"), body.get("num_images")) for body in bodies]
    return sorted(sent), sorted(image.seed for image in pictures(events) if image.seed is not None)


@pytest.mark.parametrize(
    ("provider", "path"),
    [("fal-ai", "/fal-ai/fal-ai/flux/dev?_subdomain=queue"), ("together", "/together/v1/images/generations")],
)
async def test_three_pictures_are_three_requests_where_a_request_takes_a_seed(
    provider: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"data": [{"b64_json": PACKED}], "images": [{"url": f"data:image/png;base64,{PACKED}"}]}
    house = House(RECORD, {f"POST {path}": [said(answer)]})
    async with at_home(house, monkeypatch):
        sent, told = await several(house, provider=provider, seed=5)
    assert sent == [(5, None, None), (6, None, None), (7, None, None)]
    assert told == [5, 6, 7]


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
@pytest.mark.parametrize("path", ["", "/v1/images/generations"])
async def test_servers_of_diffusion_models_make_each_picture_from_a_seed_of_its_own(kind: str, path: str) -> None:
    house = House(
        {},
        {
            "POST /v1/images/generations": [said({"data": [{"b64_json": PACKED}]})],
            "GET /v1/models": [said({"data": [{"id": "m", "owned_by": kind}]})],
        },
    )
    async with serving(house) as server:
        sent, told = await several(house, model="m", api_base=server.url + path, seed=5, mode="image")
    assert sent == [(5, None, None), (6, None, None), (7, None, None)]
    assert told == [5, 6, 7]


async def test_where_no_seed_can_be_asked_for_one_request_makes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(RECORD, {"POST /nscale/v1/images/generations": [said({"data": [{"b64_json": PACKED}] * 3})]})
    async with at_home(house, monkeypatch):
        assert await several(house, provider="nscale") == ([(None, 3, None)], [])


async def test_base64_that_is_damaged_leaves_the_other_pictures_of_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"data": [{"b64_json": "!"}, {"b64_json": PACKED}, {"url": "file:///etc/passwd"}]}
    house = House(RECORD, {"POST /nscale/v1/images/generations": [said(answer)]})
    events: list[Event] = []
    async with at_home(house, monkeypatch):
        with pytest.raises(GenerationError, match="1 of 3 pictures came: the picture's base64 is cut"):
            async for event in HuggingFaceInference.create_async_generator(
                MODEL, [], prompt=ASTRONAUT, provider="nscale", n=3
            ):
                events.append(event)
    assert [image.media.data for image in pictures(events)] == [PNG]


# --- what goes wrong ----------------------------------------------------------------------------------------------

POST_OF = {
    provider: f"POST /{provider}{path}"
    for provider, path in {
        "fal-ai": "/fal-ai/flux/dev?_subdomain=queue",
        "hf-inference": f"/models/{MODEL}",
        "nscale": "/v1/images/generations",
        "replicate": "/v1/models/black-forest-labs/flux-dev/predictions",
        "together": "/v1/images/generations",
        "wavespeed": "/api/v3/wavespeed-ai/flux-dev",
        "zai-org": "/api/paas/v4/async/images/generations",
    }.items()
}


def test_every_provider_is_asked_here() -> None:
    assert sorted(POST_OF) == sorted(IMAGE_PROVIDERS)


@pytest.mark.parametrize("provider", sorted(POST_OF))
@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (402, {"error": "You have exceeded your monthly included credits for Inference Providers."}, PaymentRequired,
         "monthly included credits"),
        (404, {"error": "Model this-model-does-not-exist-123 does not exist"}, ModelNotSupportedError, "not exist"),
        (410, {"error": "https://api-inference.huggingface.co is no longer supported."}, ModelNotSupportedError,
         "no longer supported"),
        (400, {"id": "9026c5ba8ae9d397-CDG", "error": {"message": "Invalid request", "type": "invalid_request_error",
         "param": "model", "code": None}}, BadRequest, "Invalid request"),
        (422, {"detail": [{"loc": ["body", "loras", 0, "path"], "msg": "str type expected", "type": "type_error.str"}]},
         BadRequest, "body.loras.0.path: str type expected"),
        (422, {"detail": "- input: text is required\n", "status": 422, "title": "Input validation failed"}, BadRequest,
         "input: text is required"),
        (422, {"detail": [{"loc": ["body", "prompt"], "msg": "flagged by a content checker",
         "type": "content_policy_violation"}]}, ContentFiltered, "flagged by a content checker"),
        (400, {"error": {"message": "rejected by our safety system", "code": "content_policy_violation"}},
         ContentFiltered, "rejected by our safety system"),
        (200, {"error": "unknown error", "status": 501}, ServerError, "unknown error"),
    ],
)  # fmt: skip
async def test_an_error_of_a_provider_has_its_type_and_its_words(
    provider: str, status: int, body: object, kind: type[HfgenError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(RECORD, {POST_OF[provider]: [said(body, f"{status} X")]})
    async with at_home(house, monkeypatch):
        with pytest.raises(HfgenError) as caught:
            await ask(provider=provider, total_timeout=10)
    assert type(caught.value) is kind
    assert words in caught.value.message
    assert provider in caught.value.server


RECORDED_FROM = {
    "fal-ai": "https://fal.run/",
    "hf-inference": "https://router.huggingface.co/hf-inference/",
    "replicate": "https://api.replicate.com/",
    "together": "https://api.together.xyz/",
}


@pytest.mark.parametrize("provider", sorted(RECORDED_FROM))
async def test_every_recorded_error_of_a_provider_is_one_of_ours(
    provider: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {400: BadRequest, 404: ModelNotSupportedError, 422: BadRequest, 503: ModelLoading}
    lines = (shared / "recordings" / "errors.jsonl").read_text(encoding="utf-8").splitlines()
    errors = [error for line in lines if (error := json.loads(line))["url"].startswith(RECORDED_FROM[provider])]
    assert errors
    house = House(RECORD, {})
    async with at_home(house, monkeypatch):
        for error in errors:
            house.answers = {
                POST_OF[provider]: [Said(error["body"].encode(), f"{error['status']} X", error["content_type"])]
            }
            with pytest.raises(HfgenError) as caught:
                await ask(provider=provider, total_timeout=10)
            assert type(caught.value) is kinds[error["status"]]
            assert len(caught.value.message) > len("the server refused the request: ")


@pytest.mark.parametrize("provider", sorted(POST_OF))
async def test_what_passes_is_waited_for_within_the_deadline(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loading = {"error": f"Model {MODEL} is currently loading", "estimated_time": 20.0}
    house = House(RECORD, {POST_OF[provider]: [said(loading, "503 X")]})
    async with at_home(house, monkeypatch):
        with pytest.raises(ModelLoading, match="currently loading") as caught:
            await ask(provider=provider, total_timeout=10)
        assert caught.value.retry_after == 20
        house.answers[POST_OF[provider]] = [said({"error": "Rate limit reached."}, "429 X", "Retry-After: 900\r\n")]
        with pytest.raises(RateLimited, match="Rate limit reached"):
            await ask(provider=provider, total_timeout=10)


async def test_an_option_that_a_provider_does_not_take_is_named_once_or_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(RECORD, {POST_OF["nscale"]: [said({"data": [{"b64_json": PACKED}]})]})
    async with at_home(house, monkeypatch):
        with pytest.warns(OptionIgnored, match=r"\(nscale\) does not take scheduler"):
            await ask(provider="nscale", scheduler="euler")
        await ask(provider="nscale", scheduler="euler")
        with pytest.raises(UsageError, match="does not take scheduler"):
            await ask(provider="nscale", scheduler="euler", strict=True)
