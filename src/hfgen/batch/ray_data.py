"""hfgen inside somebody's own Ray Data pipeline. It imports no ray: a class is all that Ray Data asks for."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

import msgspec

from hfgen.batch.result import Result
from hfgen.batch.running import run


class Column(Protocol):
    """One column of a batch, such as a numpy array."""

    def tolist(self) -> list[Any]:
        """Its values."""
        ...


def map_batches_udf(*, column: str = "prompt", into: str = "answer", concurrency: int = 32, **asked: Any) -> type:
    """A class for `ds.map_batches(map_batches_udf(model=…), compute=ray.data.ActorPoolStrategy(size=2))`.

    Prompts in, answers out.

    **Blocks are repeated.** Ray Data knows no rows, only blocks: when an actor or a machine dies, every row of the
    blocks that it had is asked and paid for again, answered or not, and when the driver dies, all that is not written.
    Where calls cost money, `hfgen batch --engine ray` repeats the few rows under way alone.

    A row that fails does not fail the pipeline: its answer is None, and `<into>_error` says why. 401, 402 and 403 do,
    since they would fail every row. Limits (`rpm`, `tpm`, `max_cost`, `concurrency`) are of each batch of each actor.

    Args:
        column: Which holds the prompts; or conversations, as lists of messages.
        into: The column for the texts of the answers.
        concurrency: Rows of a batch asked side by side, at most.
        **asked: Of `hfgen.batch.run`, such as `model`, `api_base`, `max_tokens`; they are pickled with the pipeline.
            `HF_TOKEN` in the environment of the cluster is safer than `api_key` here.

    Returns:
        A class whose instances are called with batches of the format `numpy`.
    """

    class Answer:
        async def __call__(self, batch: Mapping[str, Column]) -> AsyncGenerator[dict[str, Any], None]:
            prompts = batch[column].tolist()
            answers: list[str | None] = [None] * len(prompts)
            errors: list[str | None] = [None] * len(prompts)
            async for result in run(prompts, concurrency=concurrency, **asked):
                row = result.hfgen.row - 1
                answers[row], errors[row] = _told(result)
            yield {**batch, into: answers, f"{into}_error": errors}

    return Answer


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Answered(msgspec.Struct):
    choices: list[_Choice]


class _Words(msgspec.Struct):
    message: str


class _Refused(msgspec.Struct):
    error: _Words


def _told(result: Result) -> tuple[str | None, str | None]:
    """The answer's text, or why there is none."""
    if result.response is None:
        return None, result.error.message if result.error else "nobody answered"
    if not result.ok:
        return None, msgspec.json.decode(result.response.body, type=_Refused).error.message
    return msgspec.json.decode(result.response.body, type=_Answered).choices[0].message.content or "", None
