"""What a request asks, as arguments of `create_async_generator`."""

import re
from typing import Any, Final

from hfgen.messages import ends_with_assistant
from hfgen.openai_api.bounds import Bounds
from hfgen.openai_api.conversation import checked
from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.schema import ChatRequest, ImageRequest, Sampling, TextRequest
from hfgen.openai_api.tool_choice import chosen

_MOST_PROMPTS: Final = 64
_USUAL_LENGTH: Final = 16  # tokens of a raw completion that names no length (OpenAI API reference, completions)
_SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})")
# Options that have the same name here and there.
_OF_SAMPLING: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "strict",
)
_OF_FORM: Final = ("tools", "tool_choice", "response_format", "chat_template_kwargs")
_OF_PICTURES: Final = (
    "seed",
    "aspect_ratio",
    "width",
    "height",
    "negative_prompt",
    "num_inference_steps",
    "guidance_scale",
    "scheduler",
    "strict",
)


def chat_arguments(asked: ChatRequest, bounds: Bounds) -> dict[str, Any]:
    """A conversation's.

    Raises:
        Refusal: The conversation is none, or out of bounds.
    """
    most = asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens
    found: dict[str, Any] = {
        "messages": checked(asked.messages, bounds),
        **_sampling(asked, most, bounds),
        **_given(asked, _OF_FORM),
    }
    if asked.tools:
        found |= chosen(asked.tools, asked.tool_choice)
    if asked.logprobs:
        found["logprobs"] = asked.top_logprobs or True
    if asked.continue_final_message:
        if not ends_with_assistant(found["messages"]):
            raise _refused("continue_final_message", "the last message is not the assistant's")
        found["action"] = "continue"
    if asked.parallel_tool_calls is not None and asked.tools:
        found["extra_data"] = {"parallel_tool_calls": asked.parallel_tool_calls}
    return found


def text_arguments(asked: TextRequest, bounds: Bounds) -> list[dict[str, Any]]:
    """Those of raw prompts, for each of them.

    Raises:
        Refusal: None or too many of them, or what hfgen's routes do not have.
    """
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if not 1 <= len(prompts) <= _MOST_PROMPTS:
        raise _refused("prompt", f"give 1 to {_MOST_PROMPTS} of them")
    for name in ("suffix", "echo"):
        if getattr(asked, name):
            raise Refusal(400, f"{name}: hfgen's routes have no such thing; leave it out", param=name)
    found = _sampling(asked, _USUAL_LENGTH if asked.max_tokens is None else asked.max_tokens, bounds)
    if asked.logprobs is not None:
        found["logprobs"] = asked.logprobs or True
    return [{**found, "messages": [], "prompt": prompt, "mode": "raw"} for prompt in prompts]


def image_arguments(asked: ImageRequest, bounds: Bounds) -> dict[str, Any]:
    """A picture's.

    Raises:
        Refusal: Nothing to paint, too many at once, or a size that is none.
    """
    if not asked.prompt.strip():
        raise _refused("prompt", "it says nothing to paint")
    count = 1 if asked.n is None else asked.n
    if not 1 <= count <= bounds.pictures:
        raise _refused("n", f"it must lie between 1 and {bounds.pictures}")
    options = _given(asked, _OF_PICTURES) | _size(asked.size)
    return {"messages": [], "prompt": asked.prompt, "mode": "image", "n": count, **options}


def _sampling(asked: Sampling, max_tokens: int | None, bounds: Bounds) -> dict[str, Any]:
    ceiling = bounds.max_tokens
    asks = ceiling if max_tokens is None else max_tokens
    return {
        **_given(asked, _OF_SAMPLING),
        "max_tokens": asks if asks is None or ceiling is None else min(asks, ceiling),
    }


def _given(asked: Sampling | ImageRequest, names: tuple[str, ...]) -> dict[str, Any]:
    found = ((name, getattr(asked, name)) for name in names)
    return {name: value for name, value in found if value is not None}


def _size(size: str | None) -> dict[str, int]:
    if size in (None, "auto"):
        return {}
    found = _SIZE.fullmatch(size or "")
    if found is None:
        raise _refused("size", "it is WIDTHxHEIGHT in pixels, such as 1024x1024, or auto")
    return {"width": int(found[1]), "height": int(found[2])}


def _refused(field: str, why: str) -> Refusal:
    return Refusal(400, f"{field}: {why}", param=field, code="invalid_value")
