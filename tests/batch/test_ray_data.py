"""The class for Ray Data, called as Ray Data calls it."""

from typing import Any

import pytest

from answering_model import AnsweringModel, answer_to, answering
from hfgen import MissingAuth
from hfgen.batch import map_batches_udf


class Array(list[Any]):
    """As much of numpy's as is asked for."""

    def tolist(self) -> list[Any]:
        return list(self)


async def call(kind: type, **columns: list[Any]) -> dict[str, Any]:
    batches = [batch async for batch in kind()({name: Array(values) for name, values in columns.items()})]
    assert len(batches) == 1
    found: dict[str, Any] = batches[0]
    return found


async def test_each_row_has_its_answer_and_keeps_its_other_columns() -> None:
    prompts = [f"row {n}" for n in range(50)]
    async with answering(AnsweringModel(faults={"row 7": [500, 429]})) as server:
        found = await call(map_batches_udf(api_base=server.url), prompt=prompts, label=list(range(50)))

    assert found["answer"] == [answer_to(prompt) for prompt in prompts]
    assert found["answer_error"] == [None] * 50
    assert found["label"] == list(range(50))


async def test_a_row_that_fails_says_why_and_fails_nothing_else() -> None:
    async with answering(AnsweringModel(faults={"bad": [400], "broken": [500] * 9})) as server:
        found = await call(map_batches_udf(column="q", into="a", api_base=server.url), q=["bad", "good", "broken"])

    assert found["a"] == [None, answer_to("good"), None]
    assert "400 for bad" in found["a_error"][0]
    assert "500 for broken" in found["a_error"][2]


async def test_what_would_fail_every_row_fails_the_pipeline() -> None:
    async with answering(AnsweringModel(faults={"locked": [401]})) as server:
        with pytest.raises(MissingAuth):
            await call(map_batches_udf(api_base=server.url), prompt=["locked"])
