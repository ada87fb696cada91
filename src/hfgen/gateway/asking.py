"""What a caller asks, as the waist takes it: `n` answers to one request."""

from collections.abc import Mapping
from typing import Any, Final

from hfgen.errors import UsageError
from hfgen.gateway.refusal import Refusal, refusal
from hfgen.gateway.schema import Sampling
from hfgen.gateway.settings import Limits
from hfgen.gateway.telling import Events
from hfgen.gateway.upstream import Upstream

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
