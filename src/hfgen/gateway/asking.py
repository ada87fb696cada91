"""What a caller asks, as the waist takes it: `n` answers to one request."""

from collections.abc import Mapping
from typing import Any, Final

from hfgen.errors import UsageError
from hfgen.gateway.conversation import checked
from hfgen.gateway.refusal import Refusal, refusal
from hfgen.gateway.schema import ChatRequest, Sampling
from hfgen.gateway.settings import Limits, Settings
from hfgen.gateway.telling import Events
from hfgen.gateway.upstream import Upstream
from hfgen.messages import ends_with_assistant

_MOST_ANSWERS: Final = 16
# Options that have the same name here and there.
_AS_THEY_ARE: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
)

_FORM: Final = ("tools", "tool_choice", "response_format", "chat_template_kwargs")


def sampling(asked: Sampling, max_tokens: int | None, limits: Limits) -> dict[str, Any]:
    """The arguments that every text route shares.

    Args:
        asked: The request.
        max_tokens: The longest answer that it asks for, or None.
        limits: What it may ask for.
    """
    given = {name: getattr(asked, name) for name in _AS_THEY_ARE}
    arguments = {name: value for name, value in given.items() if value is not None}
    ceiling = limits.max_tokens
    asks = ceiling if max_tokens is None else max_tokens
    return {**arguments, "max_tokens": asks if asks is None or ceiling is None else min(asks, ceiling)}


def chat_arguments(asked: ChatRequest, settings: Settings) -> dict[str, Any]:
    """The request as arguments of `create_async_generator`.

    Raises:
        Refusal: The conversation is none, or out of bounds.
    """
    given = {name: getattr(asked, name) for name in _FORM}
    most = asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens
    found: dict[str, Any] = {
        "messages": checked(asked.messages, settings),
        **sampling(asked, most, settings.limits),
        **{name: value for name, value in given.items() if value is not None},
    }
    if asked.logprobs:
        found["logprobs"] = asked.top_logprobs or True
    if asked.continue_final_message:
        if not ends_with_assistant(found["messages"]):
            name = "continue_final_message"
            raise Refusal(400, f"{name}: the last message is not the assistant's", param=name, code="invalid_value")
        found["action"] = "continue"
    if asked.parallel_tool_calls is not None and asked.tools:
        found["extra_data"] = {"parallel_tool_calls": asked.parallel_tool_calls}
    return found


def answers(
    upstream: Upstream, asked: Sampling, arguments: Mapping[str, Any], token: str | None = None
) -> list[Events]:
    """One generator for each of the `n` answers; nothing is asked before it is iterated.

    Raises:
        Refusal: An argument is impossible.
    """
    count = 1 if asked.n is None else asked.n
    if not 1 <= count <= _MOST_ANSWERS:
        raise Refusal(400, f"n: it must lie between 1 and {_MOST_ANSWERS}", param="n", code="invalid_value")
    seeds = [None if asked.seed is None else (asked.seed + index) % 2**32 for index in range(count)]
    try:
        return [upstream.answer(asked.model or "", {**arguments, "seed": seed}, token) for seed in seeds]
    except UsageError as error:
        raise refusal(error) from error
