"""`n` answers to one request."""

from collections.abc import Mapping
from typing import Any, Final

from hfgen.errors import UsageError
from hfgen.gateway.about import About
from hfgen.gateway.telling import Events
from hfgen.gateway.upstream import Upstream
from hfgen.openai_api.refusal import Refusal, refusal
from hfgen.openai_api.schema import Sampling

_MOST_ANSWERS: Final = 16


def answers(
    upstream: Upstream, asked: Sampling, arguments: Mapping[str, Any], answer_id: str, token: str | None = None
) -> list[Events]:
    """One generator for each of the `n` answers, which share their id; nothing is asked before it is iterated.

    Raises:
        Refusal: An argument is impossible.
    """
    count = 1 if asked.n is None else asked.n
    if not 1 <= count <= _MOST_ANSWERS:
        raise Refusal(400, f"n: it must lie between 1 and {_MOST_ANSWERS}", param="n", code="invalid_value")
    seeds = [None if asked.seed is None else (asked.seed + index) % 2**32 for index in range(count)]
    about = About(answer_id, count, stream=bool(asked.stream))
    try:
        return [upstream.answer(asked.model or "", {**arguments, "seed": seed}, token, about) for seed in seeds]
    except UsageError as error:
        raise refusal(error) from error
