"""Names of models: the defaults, the aliases, the built-in lists, and what the Hub lists today."""

import os
from typing import Final
from urllib.parse import urlencode

import msgspec

from hfgen.errors import ServerError
from hfgen.hub.client import hub_endpoint
from hfgen.limits import Limits
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest

DEFAULT_MODEL: Final = "Qwen/Qwen2.5-72B-Instruct"
DEFAULT_IMAGE_MODEL: Final = "black-forest-labs/FLUX.1-dev"
LOCAL: Final = "local"
POLICIES: Final = frozenset({"", "auto", "fastest", "cheapest", "preferred"})
"""What may stand for a provider behind the router: it then chooses (hub-docs, inference-providers/index.md)."""

TEXT_MODELS: Final = (
    DEFAULT_MODEL,
    "meta-llama/Llama-3.3-70B-Instruct",
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen2.5-Coder-32B-Instruct",
    "Qwen/QwQ-32B",
    "Qwen/Qwen3-32B",
    "Qwen/Qwen3-8B",
    "deepseek-ai/DeepSeek-R1",
    "deepseek-ai/DeepSeek-V3",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
    "mistralai/Mistral-7B-Instruct-v0.3",
    "mistralai/Mistral-Nemo-Instruct-2407",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "microsoft/Phi-3.5-mini-instruct",
    "google/gemma-2-27b-it",
    "NousResearch/Hermes-3-Llama-3.1-8B",
    "openai/gpt-oss-120b",
    "openai-community/gpt2",
    "EleutherAI/gpt-neo-2.7B",
)
VISION_MODELS: Final = (
    "Qwen/Qwen2.5-VL-7B-Instruct",
    "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "google/gemma-3-27b-it",
)
IMAGE_MODELS: Final = (
    DEFAULT_IMAGE_MODEL,
    "black-forest-labs/FLUX.1-schnell",
    "stabilityai/stable-diffusion-3.5-large",
    "stabilityai/stable-diffusion-xl-base-1.0",
)
MODEL_ALIASES: Final[dict[str, str]] = {
    "qwen-2.5-72b": "Qwen/Qwen2.5-72B-Instruct",
    "qwen-2.5-coder-32b": "Qwen/Qwen2.5-Coder-32B-Instruct",
    "qwq-32b": "Qwen/QwQ-32B",
    "qwen-3-32b": "Qwen/Qwen3-32B",
    "qwen-2.5-vl-7b": "Qwen/Qwen2.5-VL-7B-Instruct",
    "llama-3-8b": "meta-llama/Meta-Llama-3-8B-Instruct",
    "llama-3.1-8b": "meta-llama/Llama-3.1-8B-Instruct",
    "llama-3.2-11b": "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "llama-3.3-70b": "meta-llama/Llama-3.3-70B-Instruct",
    "deepseek-r1": "deepseek-ai/DeepSeek-R1",
    "deepseek-v3": "deepseek-ai/DeepSeek-V3",
    "deepseek-r1-distill-qwen-32b": "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
    "mistral-7b": "mistralai/Mistral-7B-Instruct-v0.3",
    "mistral-nemo": "mistralai/Mistral-Nemo-Instruct-2407",
    "mixtral-8x7b": "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "phi-3.5-mini": "microsoft/Phi-3.5-mini-instruct",
    "gemma-2-27b": "google/gemma-2-27b-it",
    "hermes-3": "NousResearch/Hermes-3-Llama-3.1-8B",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "gpt2": "openai-community/gpt2",
    "gpt-neo-2.7b": "EleutherAI/gpt-neo-2.7B",
    "flux": DEFAULT_IMAGE_MODEL,
    "flux-dev": DEFAULT_IMAGE_MODEL,
    "flux-schnell": "black-forest-labs/FLUX.1-schnell",
    "stable-diffusion-3.5-large": "stabilityai/stable-diffusion-3.5-large",
    "stable-diffusion-xl": "stabilityai/stable-diffusion-xl-base-1.0",
}

_LIMITS: Final = Limits(connect=5.0, first_token=20.0, idle=20.0)
_TASKS: Final = ("text-generation", "image-text-to-text", "text-to-image")


class Listed(msgspec.Struct, frozen=True):
    """One model of a list; `downloads` and `likes` as the Hub counts them, 0 when unknown."""

    id: str
    task: str = ""
    downloads: int = 0
    likes: int = 0


class _Item(msgspec.Struct):
    id: str
    pipeline_tag: str | None = None
    downloads: int | None = None
    likes: int | None = None


_decoder: Final = msgspec.json.Decoder(list[_Item])


def router_endpoint() -> str:
    """Where the router is: HF_INFERENCE_ENDPOINT, or router.huggingface.co."""
    return os.environ.get("HF_INFERENCE_ENDPOINT", "").rstrip("/") or "https://router.huggingface.co"


def built_in_models() -> list[Listed]:
    """The names that hfgen knows by itself, the local model first."""
    return [
        Listed(LOCAL, "text-generation"),
        *(Listed(name, "text-generation") for name in TEXT_MODELS),
        *(Listed(name, "image-text-to-text") for name in VISION_MODELS),
        *(Listed(name, "text-to-image") for name in IMAGE_MODELS),
    ]


async def list_models(session: Session, token: str | None = None, limit: int = 100) -> list[Listed]:
    """What some provider serves now, trending first, then the built-in names that are missing there.

    Raises:
        HfgenError: The Hub could not be asked; nothing is remembered of that.
    """
    live: dict[str, Listed] = {LOCAL: Listed(LOCAL, "text-generation")}
    for task in _TASKS:
        for model in await search_models(session, "", task, token, limit):
            live.setdefault(model.id, model)
    for model in built_in_models():
        live.setdefault(model.id, model)
    return list(live.values())


async def search_models(
    session: Session, query: str, task: str = "", token: str | None = None, limit: int = 20
) -> list[Listed]:
    """Models that some provider serves now, by words of their names, trending first.

    Raises:
        HfgenError: The Hub could not be asked.
    """
    asked = {"inference_provider": "all", "sort": "trendingScore", "limit": str(limit)}
    asked |= {"search": query} if query else {}
    asked |= {"pipeline_tag": task} if task else {}
    endpoint = hub_endpoint()
    target = Target(endpoint, kind="unknown", token=token, label=f"the Hub ({endpoint})")
    body = await session.fetch(WireRequest(f"{endpoint}/api/models?{urlencode(asked)}", method="GET"), target, _LIMITS)
    try:
        items = _decoder.decode(body.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(f"the Hub's list is no list of models: {body.data[:80]!r}") from error
    return [Listed(item.id, item.pipeline_tag or "", item.downloads or 0, item.likes or 0) for item in items]
