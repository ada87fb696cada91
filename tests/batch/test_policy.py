"""Answers that came whole, but not as they were wanted."""

import json
import re
from typing import Any

import pytest

from answering_model import AnsweringModel, answering
from hfgen import UsageError
from hfgen.batch import Result, run
from hfgen.batch.answer_schema import AnswerSchema

AGE = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
VLLM = {
    "/version": b'{"version": "0.32.0"}',
    "/v1/models": b'{"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096}]}',
}


async def one(model: AnsweringModel, **options: Any) -> Result:
    async with answering(model) as server:
        (result,) = [each async for each in run(["How old?"], api_base=server.url, **options)]
    return result


def text_of(result: Result) -> str:
    assert result.response is not None
    text: str = json.loads(bytes(result.response.body))["choices"][0]["message"]["content"]
    return text


def as_long_as_asked(body: dict[str, Any]) -> tuple[str, str]:
    """A model with a hundred tokens to say."""
    most = body.get("max_tokens") or 1000
    return ("word " * min(most, 100), "length" if most < 100 else "stop")


async def test_a_cut_answer_is_kept_unless_the_batch_says_otherwise() -> None:
    result = await one(AnsweringModel(says=as_long_as_asked), max_tokens=30)

    assert result.ok
    assert len(text_of(result).split()) == 30


async def test_a_cut_answer_is_asked_for_with_twice_the_length_until_it_is_whole_and_all_of_it_is_counted() -> None:
    model = AnsweringModel(says=as_long_as_asked)

    result = await one(model, max_tokens=30, on_length="retry")

    assert [body["max_tokens"] for body in model.bodies] == [30, 60, 120]
    assert len(text_of(result).split()) == 100
    assert result.hfgen.attempts == 3
    assert result.hfgen.prompt_tokens == 15


async def test_it_is_never_longer_than_half_of_the_context() -> None:
    model = AnsweringModel(says=lambda _: ("cut", "length"), pages=VLLM)

    result = await one(model, max_tokens=800, on_length="retry")

    assert [body["max_tokens"] for body in model.bodies] == [800, 1600, 2048]
    assert result.error is not None
    assert result.error.code == "length"
    assert result.hfgen.partial == "cut"


async def test_a_cut_answer_can_be_an_error_with_its_text() -> None:
    model = AnsweringModel(says=as_long_as_asked)

    result = await one(model, max_tokens=3, on_length="error")

    assert (result.response, result.hfgen.partial) == (None, "word word word ")
    assert result.error is not None
    assert result.error.code == "length"
    assert len(model.bodies) == 1


async def test_an_answer_that_fits_the_schema_is_taken_and_the_schema_is_sent_where_it_can_be() -> None:
    model = AnsweringModel(says=lambda _: ('{"age": 7}', "stop"))

    result = await one(model, schema=AGE)

    assert text_of(result) == '{"age": 7}'
    assert model.bodies[0]["response_format"]["json_schema"]["schema"] == AGE


async def test_an_answer_that_does_not_fit_is_asked_for_again_with_another_seed() -> None:
    answers = iter(["I am seven", '{"age": -1}', '{"age": 7}'])
    model = AnsweringModel(says=lambda _: (next(answers), "stop"))

    result = await one(model, schema=AGE, seed=4)

    assert text_of(result) == '{"age": 7}'
    assert [body["seed"] for body in model.bodies] == [4, 5, 6]
    assert result.hfgen.attempts == 3


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("I am seven", "the answer is no JSON"),
        ('{"age": "seven"}', r"\$.age: 'seven' is not of type 'integer'"),
        ("[]", r"\$: \[\] is not of type 'object'"),
        ("[" * 5000 + "]" * 5000, "the answer is no JSON"),
    ],
)
async def test_what_never_fits_is_an_error_with_the_text(said: str, why: str) -> None:
    model = AnsweringModel(says=lambda _: (said, "stop"))

    result = await one(model, schema=AGE, tries=1)

    assert result.error is not None
    assert result.error.code == "schema_mismatch"
    assert re.match(why, result.error.message)
    assert result.hfgen.partial == said
    assert len(model.bodies) == 2


async def test_a_server_that_refuses_the_schema_is_asked_without_it_from_then_on() -> None:
    model = AnsweringModel(says=lambda _: ('{"age": 7}', "stop"), faults={"How old?": [400]})
    async with answering(model) as server:
        rows = ["How old?", "And you?"]
        found = [each async for each in run(rows, api_base=server.url, schema=AGE, concurrency=1)]

    assert all(result.ok for result in found)
    assert ["response_format" in body for body in model.bodies] == [True, False, False]


async def test_a_row_that_is_at_fault_itself_is_no_sign_that_the_server_takes_no_schema() -> None:
    model = AnsweringModel(says=lambda _: ('{"age": 7}', "stop"), faults={"bad": [400, 400]})
    async with answering(model) as server:
        rows = ["bad", "good"]
        found = [each async for each in run(rows, api_base=server.url, schema=AGE, concurrency=1)]

    assert [result.ok for result in found] == [False, True]
    assert ["response_format" in body for body in model.bodies] == [True, False, True]


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"properties": []}])
async def test_what_is_no_schema_is_told_before_anything_is_asked(schema: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no JSON schema"):
        await anext(run(["one"], schema=schema))


def test_a_schema_that_points_to_another_address_is_never_fetched() -> None:
    schema = AnswerSchema({"$ref": "http://127.0.0.1:9/schema.json"})

    with pytest.raises(UsageError, match="leads nowhere"):
        schema.mismatch("{}")


def test_a_nest_without_end_is_no_crash() -> None:
    schema = AnswerSchema({"type": "array", "items": {"$ref": "#"}})

    assert schema.mismatch("[" * 900 + "]" * 900)
