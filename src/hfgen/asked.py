"""Every option that a caller gave, by the caller's own names: what a dialect does not take of them, it has to name."""

from collections.abc import Collection
from typing import Any, Final

from hfgen.generation import Generation

_WRITTEN: Final = frozenset({"tools", "chat_template", "chat_template_kwargs"})


def left_out(generation: Generation, taken: Collection[str]) -> tuple[str, ...]:
    """The options that were given and that this request does not carry, for `WireRequest.dropped`.

    Args:
        generation: What was asked.
        taken: Names of the options that the request carries, or that hfgen itself sees to.
    """
    return tuple(sorted(given(generation).keys() - set(taken)))


def rendered(generation: Generation) -> frozenset[str]:
    """What the template has written into a raw prompt already; nothing where there was no conversation to render."""
    return _WRITTEN if generation.messages else frozenset()


def given(generation: Generation) -> dict[str, Any]:
    """The options that the call gave; `max_tokens` is not among them, for it has a default."""
    asked, picture = generation.sampling, generation.picture
    options: dict[str, Any] = {
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "min_p": asked.min_p,
        "seed": asked.seed,
        "stop": list(asked.stop) or None,
        "presence_penalty": asked.presence_penalty,
        "frequency_penalty": asked.frequency_penalty,
        "repetition_penalty": asked.repetition_penalty,
        "logprobs": asked.logprobs,
        "tools": list(generation.tools or ()) or None,
        "tool_choice": generation.tool_choice,
        "response_format": generation.response_format,
        "chat_template": generation.template or None,
        "chat_template_kwargs": dict(generation.template_kwargs) or None,
        "aspect_ratio": picture.wish.aspect_ratio or None,
        "width": picture.wish.width,
        "height": picture.wish.height,
        "n": picture.n if picture.n > 1 else None,
        "negative_prompt": picture.negative_prompt,
        "num_inference_steps": picture.num_inference_steps,
        "guidance_scale": picture.guidance_scale,
        "scheduler": picture.scheduler,
    }
    return {name: value for name, value in options.items() if value is not None}
