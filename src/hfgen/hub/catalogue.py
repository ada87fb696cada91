"""Names of models: the defaults, short names, and what can be asked for now."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from hfgen.errors import HfgenError, ServerError
from hfgen.facts import ModelFacts
from hfgen.hub.client import ask_hub
from hfgen.transport.session import Session

DEFAULT_MODEL: Final = "Qwen/Qwen2.5-72B-Instruct"
DEFAULT_IMAGE_MODEL: Final = "black-forest-labs/FLUX.1-dev"
LOCAL: Final = "local"
"""The model that comes with the install."""
LOCAL_NAMES: Final = frozenset({LOCAL, f"{LOCAL}/smollm2"})
"""What it may be asked for as."""
POLICIES: Final = frozenset({"auto", "fastest", "cheapest", "preferred"})
"""What may stand after the colon of a name, or as `provider=`, without being a provider: the router then chooses."""

TEXT_TASK: Final = "text-generation"
VISION_TASK: Final = "image-text-to-text"
IMAGE_TASK: Final = "text-to-image"

# Each leads to the model that it names, in its chat form where there is one. A name without a size is the family's
# usual one; a name without a date is the latest.
MODEL_ALIASES: Final[Mapping[str, str]] = {
    "command-r-plus": "CohereLabs/c4ai-command-r-plus-08-2024",
    "deepseek-r1": "deepseek-ai/DeepSeek-R1",
    "deepseek-r1-distill-llama-70b": "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
    "deepseek-r1-distill-qwen-32b": "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
    "deepseek-v3": "deepseek-ai/DeepSeek-V3",
    "distilgpt2": "distilbert/distilgpt2",
    "gemma-2-2b": "google/gemma-2-2b-it",
    "gemma-2-9b": "google/gemma-2-9b-it",
    "gemma-2-27b": "google/gemma-2-27b-it",
    "gemma-3-27b": "google/gemma-3-27b-it",
    "gpt2": "openai-community/gpt2",
    "gpt-neo-125m": "EleutherAI/gpt-neo-125m",
    "gpt-neo-1.3b": "EleutherAI/gpt-neo-1.3B",
    "gpt-neo-2.7b": "EleutherAI/gpt-neo-2.7B",
    "gpt-oss-20b": "openai/gpt-oss-20b",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "hermes-3": "NousResearch/Hermes-3-Llama-3.1-8B",
    "llama-3": "meta-llama/Meta-Llama-3-8B-Instruct",
    "llama-3-8b": "meta-llama/Meta-Llama-3-8B-Instruct",
    "llama-3-70b": "meta-llama/Meta-Llama-3-70B-Instruct",
    "llama-3.1-8b": "meta-llama/Llama-3.1-8B-Instruct",
    "llama-3.1-70b": "meta-llama/Llama-3.1-70B-Instruct",
    "llama-3.1-405b": "meta-llama/Llama-3.1-405B-Instruct",
    "llama-3.2-1b": "meta-llama/Llama-3.2-1B-Instruct",
    "llama-3.2-3b": "meta-llama/Llama-3.2-3B-Instruct",
    "llama-3.2-11b": "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "llama-3.3-70b": "meta-llama/Llama-3.3-70B-Instruct",
    "mistral-7b": "mistralai/Mistral-7B-Instruct-v0.3",
    "mistral-nemo": "mistralai/Mistral-Nemo-Instruct-2407",
    "mixtral-8x7b": "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "nemotron-70b": "nvidia/Llama-3.1-Nemotron-70B-Instruct-HF",
    "phi-3.5-mini": "microsoft/Phi-3.5-mini-instruct",
    "phi-4": "microsoft/phi-4",
    "qwen-2-vl-7b": "Qwen/Qwen2-VL-7B-Instruct",
    "qwen-2.5-7b": "Qwen/Qwen2.5-7B-Instruct",
    "qwen-2.5-72b": "Qwen/Qwen2.5-72B-Instruct",
    "qwen-2.5-coder-32b": "Qwen/Qwen2.5-Coder-32B-Instruct",
    "qwen-2.5-vl-7b": "Qwen/Qwen2.5-VL-7B-Instruct",
    "qwen-3-32b": "Qwen/Qwen3-32B",
    "qwq-32b": "Qwen/QwQ-32B",
    "zephyr-7b": "HuggingFaceH4/zephyr-7b-beta",
    "flux": "black-forest-labs/FLUX.1-dev",
    "flux-dev": "black-forest-labs/FLUX.1-dev",
    "flux-schnell": "black-forest-labs/FLUX.1-schnell",
    "sd-3.5-large": "stabilityai/stable-diffusion-3.5-large",
    "sdxl": "stabilityai/stable-diffusion-xl-base-1.0",
    "stable-diffusion-3.5-large": "stabilityai/stable-diffusion-3.5-large",
}

_VISION: Final = ("qwen-2.5-vl-7b", "qwen-2-vl-7b", "llama-3.2-11b", "gemma-3-27b")
_IMAGE: Final = ("flux-dev", "flux-schnell", "sd-3.5-large", "sdxl")

VISION_MODELS: Final = tuple(MODEL_ALIASES[name] for name in _VISION)
IMAGE_MODELS: Final = tuple(MODEL_ALIASES[name] for name in _IMAGE)
TEXT_MODELS: Final = (
    DEFAULT_MODEL,
    *(
        repository
        for repository in dict.fromkeys(MODEL_ALIASES.values())
        if repository not in {DEFAULT_MODEL, *VISION_MODELS, *IMAGE_MODELS}
    ),
)

_EACH: Final = 100  # models listed of each task
_LISTED_FIELDS: Final = ("gated", "inferenceProviderMapping", "likes", "downloads", "pipeline_tag")


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a list of models.

    Attributes:
        id: The name to ask for.
        task: The pipeline tag, or "".
        providers: Who serves the model now; nobody where that is not known.
        gated: Whether its terms have to be accepted on its page first.
        likes: Likes on the Hub, where they are known.
        downloads: Downloads of the last month, where they are known.
    """

    id: str
    task: str = ""
    providers: tuple[str, ...] = ()
    gated: bool = False
    likes: int | None = None
    downloads: int | None = None


def router_endpoint() -> str:
    """Where the router of the Inference Providers is: HF_INFERENCE_ENDPOINT, else Hugging Face's own."""
    return os.environ.get("HF_INFERENCE_ENDPOINT", "").rstrip("/") or "https://router.huggingface.co"


def built_in_models() -> list[Listed]:
    """What can be named without asking anyone; the local model comes last."""
    return [
        *(Listed(name, TEXT_TASK) for name in TEXT_MODELS),
        *(Listed(name, VISION_TASK) for name in VISION_MODELS),
        *(Listed(name, IMAGE_TASK) for name in IMAGE_MODELS),
        Listed(LOCAL, TEXT_TASK),
    ]


async def list_models(session: Session, token: str | None = None) -> list[Listed]:
    """The models that some provider serves now, trending first within each task, then the built-in ones.

    Raises:
        HfgenError: The Hub could not be asked; `built_in_models` needs nobody.
    """
    tasks = (TEXT_TASK, VISION_TASK, IMAGE_TASK)
    try:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(search_models(session, "", task, token, _EACH)) for task in tasks]
    except* HfgenError as errors:
        failed = errors
    else:
        served = [model for task in asked for model in task.result()]
        return _distinct([*served, *built_in_models()])
    raise _first(failed)


async def search_models(
    session: Session, query: str = "", task: str = "", token: str | None = None, limit: int = 30
) -> list[Listed]:
    """The models that some provider serves now and that match, trending first.

    Raises:
        HfgenError: The Hub could not be asked.
    """
    asked: dict[str, str | int] = {"inference_provider": "all", "sort": "trendingScore", "limit": limit}
    asked |= {name: value for name, value in (("search", query), ("pipeline_tag", task)) if value}
    return _distinct(await _listed(session, asked, token))


async def _listed(session: Session, query: Mapping[str, str | int], token: str | None) -> list[Listed]:
    records = await ask_hub(session, "/api/models", query, _LISTED_FIELDS, token)
    if not isinstance(records, list):
        raise ServerError("the Hub's answer is no list of models", hint="Does HF_ENDPOINT lead to the Hub?")
    lines = cast("list[object]", records)
    found = (_line(cast("dict[str, Any]", line)) for line in lines if isinstance(line, dict))
    return [model for model in found if model is not None]


def _line(record: dict[str, Any]) -> Listed | None:
    """A model that has a name, unless all that serve it fail; a Hub that names nobody is believed."""
    facts = ModelFacts.from_hub(record)
    live = tuple(mapping.provider for mapping in facts.providers if mapping.live)
    if not facts.id or (facts.providers and not live):
        return None
    likes, downloads = record.get("likes"), record.get("downloads")
    return Listed(
        id=facts.id,
        task=facts.task,
        providers=live,
        gated=facts.gated,
        likes=likes if isinstance(likes, int) else None,
        downloads=downloads if isinstance(downloads, int) else None,
    )


def _distinct(models: Iterable[Listed]) -> list[Listed]:
    """Each name once, where it comes first."""
    first: dict[str, Listed] = {}
    for model in models:
        first.setdefault(model.id, model)
    return list(first.values())


def _first(errors: BaseExceptionGroup[HfgenError]) -> HfgenError:
    """The error of the first request that failed: one says as much as three."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
