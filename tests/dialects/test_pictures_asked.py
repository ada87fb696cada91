"""How each provider is asked for pictures: the request byte by byte, and what cannot be asked of it."""

import json
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace

from hfgen.dialects import fal, nscale, openai_images, replicate, together, wavespeed, zai
from hfgen.errors import UsageError
from hfgen.generation import Generation, Picture, Sampling
from hfgen.sizes import Size, Wish
from hfgen.wire import ServerKind, Target, WireRequest

PICTURE = Picture(Size(1376, 768), 2, "blur", 20, 7.5, "euler", Wish("16:9"))
ASKED = Generation(model="owner/painter", prompt="a fox", picture=PICTURE, sampling=Sampling(seed=7, temperature=0.5))
PLAIN = Generation(model="owner/painter", prompt="a fox")
ALL = [fal, nscale, openai_images, replicate, together, wavespeed, zai]


def named(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def asked(dialect: ModuleType, what: Generation = ASKED, **target: Any) -> WireRequest:
    there = replace(Target("http://router/there", "router", "id/of-it"), **target)
    request: WireRequest = dialect.encode(what, there)
    return request


def body(request: WireRequest) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(request.body or b"")
    return read


@pytest.mark.parametrize(
    ("dialect", "url", "sent", "dropped"),
    [
        (
            fal,
            "/id/of-it?_subdomain=queue",
            {
                "prompt": "a fox",
                "image_size": {"width": 1376, "height": 768},
                "seed": 7,
                "negative_prompt": "blur",
                "num_inference_steps": 20,
                "guidance_scale": 7.5,
                "scheduler": "euler",
            },
            {"temperature", "n"},
        ),
        (
            together,
            "/images/generations",
            {
                "model": "id/of-it",
                "prompt": "a fox",
                "response_format": "base64",
                "width": 1376,
                "height": 768,
                "seed": 7,
                "negative_prompt": "blur",
                "steps": 20,
                "guidance_scale": 7.5,
            },
            {"temperature", "scheduler", "n"},
        ),
        (
            nscale,
            "/images/generations",
            {"model": "id/of-it", "prompt": "a fox", "response_format": "b64_json", "n": 2, "size": "1376x768"},
            {"temperature", "scheduler", "seed", "negative_prompt", "num_inference_steps", "guidance_scale"},
        ),
        (
            openai_images,
            "/images/generations",
            {"model": "id/of-it", "prompt": "a fox", "n": 2, "size": "1376x768"},
            {"temperature", "scheduler", "seed", "negative_prompt", "num_inference_steps", "guidance_scale"},
        ),
        (
            replicate,
            "/v1/models/id/of-it/predictions",
            {
                "input": {
                    "prompt": "a fox",
                    "aspect_ratio": "16:9",
                    "width": 1376,
                    "height": 768,
                    "seed": 7,
                    "negative_prompt": "blur",
                    "num_inference_steps": 20,
                    "guidance_scale": 7.5,
                    "scheduler": "euler",
                }
            },
            {"temperature", "n"},
        ),
        (
            wavespeed,
            "/api/v3/id/of-it",
            {
                "prompt": "a fox",
                "size": "1376*768",
                "seed": 7,
                "negative_prompt": "blur",
                "num_inference_steps": 20,
                "guidance_scale": 7.5,
            },
            {"temperature", "scheduler", "n"},
        ),
        (
            zai,
            "/api/paas/v4/async/images/generations",
            {"model": "id/of-it", "prompt": "a fox", "size": "1376x768"},
            {"temperature", "scheduler", "n", "seed", "negative_prompt", "num_inference_steps", "guidance_scale"},
        ),
    ],
    ids=lambda value: named(value) if isinstance(value, ModuleType) else "",
)
def test_each_provider_is_asked_in_its_own_words(
    dialect: ModuleType, url: str, sent: dict[str, Any], dropped: set[str]
) -> None:
    request = asked(dialect)
    assert request.url == f"http://router/there{url}"
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/json"
    assert body(request) == sent
    assert set(request.dropped) == dropped


@pytest.mark.parametrize("dialect", ALL, ids=named)
def test_what_nobody_asked_for_is_not_sent(dialect: ModuleType) -> None:
    request = asked(dialect, PLAIN)
    sent = body(request)
    assert sent.keys() | sent.get("input", {}).keys() <= {"prompt", "model", "response_format", "input"}
    assert request.dropped == ()


@pytest.mark.parametrize("dialect", ALL, ids=named)
def test_extra_data_reaches_the_top_level_and_replaces_no_argument(dialect: ModuleType) -> None:
    assert body(asked(dialect, replace(ASKED, extra={"webhook": "w"})))["webhook"] == "w"
    wrong = {"input": {"prompt": "x"}} if dialect is replicate else {"prompt": "x"}
    with pytest.raises(UsageError, match="extra_data"):
        asked(dialect, replace(ASKED, extra=wrong))


def test_replicate_takes_the_options_of_a_model_inside_input() -> None:
    sent = body(asked(replicate, replace(PLAIN, extra={"input": {"go_fast": True}, "webhook": "w"})))
    assert sent == {"input": {"prompt": "a fox", "go_fast": True}, "webhook": "w"}
    with pytest.raises(UsageError, match="input"):
        asked(replicate, replace(PLAIN, extra={"input": 5}))


def test_replicate_is_asked_for_a_version_where_the_id_names_one() -> None:
    request = asked(replicate, model="owner/name:abc")
    assert request.url.endswith("/v1/predictions")
    assert body(request)["version"] == "abc"
    assert "aspect_ratio" not in body(request)["input"]  # a version takes width and height
    assert request.headers["Prefer"] == "wait"


def test_a_width_that_is_given_is_no_ratio() -> None:
    exact = replace(PLAIN, picture=Picture(Size(512, 288), wish=Wish("16:9", width=512)))
    assert body(asked(replicate, exact))["input"] == {"prompt": "a fox", "width": 512, "height": 288}


@pytest.mark.parametrize(
    ("dialect", "model", "sent"),
    [
        (
            fal,
            "fal-ai/flux-lora",
            {"loras": [{"path": "https://huggingface.co/owner/painter/resolve/main/a%20b.safetensors", "scale": 1}]},
        ),
        (
            fal,
            "fal-ai/lora",
            {
                "loras": [{"path": "https://huggingface.co/owner/painter/resolve/main/a%20b.safetensors", "scale": 1}],
                "model_name": "stabilityai/stable-diffusion-xl-base-1.0",
            },
        ),
        (wavespeed, "wavespeed-ai/flux-dev-lora", {"loras": [{"path": "owner/painter", "scale": 1}]}),
        (replicate, "lucataco/flux-dev-lora", {"input": {"lora_weights": "https://huggingface.co/owner/painter"}}),
    ],
)
def test_an_adapter_is_asked_for_where_the_provider_has_adapters(
    dialect: ModuleType, model: str, sent: dict[str, Any]
) -> None:
    got = body(asked(dialect, PLAIN, model=model, adapter="a b.safetensors"))
    got.pop("prompt", None)
    got.get("input", {}).pop("prompt", None)
    assert got == sent


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_servers_of_diffusion_models_take_their_options_on_openai_s_route(kind: ServerKind) -> None:
    request = asked(openai_images, kind=kind)
    assert body(request)["num_inference_steps"] == 20
    assert body(request)["seed"] == 7
    assert set(request.dropped) == {"temperature", "scheduler"}


def test_z_ai_is_told_who_asks() -> None:
    assert asked(zai).headers["x-source-channel"] == "hugging_face"
