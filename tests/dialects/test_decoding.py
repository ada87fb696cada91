"""What each server's answer says, as its source and its recordings have it."""

import base64
import json
from types import ModuleType
from typing import Any

import pytest

from hfgen.dialects import hf_image, openai_chat, openai_completions, tgi, toolkit
from hfgen.errors import BadPicture, BadRequest, HfgenError, RateLimited, ServerError
from hfgen.events import FinishReason, ImageResponse, Logprobs, TokenLogprob, ToolCallDelta, Usage
from hfgen.media import Media
from hfgen.providers.shape import Shape
from hfgen.wire import END, Body, Frame, Named, Whole
from replay import body_of

STREAMS = [openai_chat, openai_completions, tgi]
ALL = [*STREAMS, toolkit, hf_image]


def name_of(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def event(dialect: ModuleType, text: bytes, more: bytes = b"") -> bytes:
    """An event of a stream whose text is this JSON string's inside."""
    if dialect is tgi:
        return (
            b'{"token":{"id":1,"text":"'
            + text
            + b'","logprob":-0.1,"special":false},"generated_text":null'
            + more
            + b"}"
        )
    inner = b'"delta":{"content":"' + text + b'"}' if dialect is openai_chat else b'"text":"' + text + b'"'
    return b'{"id":"x","choices":[{"index":0,' + inner + b',"finish_reason":null}]' + more + b"}"


def printable(error: HfgenError) -> None:
    assert error.message.isprintable()
    assert len(error.message) < 500


def read(dialect: ModuleType, frame: Frame) -> list[Any]:
    return list(dialect.decode(frame))


@pytest.mark.parametrize("dialect", STREAMS, ids=name_of)
def test_a_token_is_its_text(dialect: ModuleType) -> None:
    assert read(dialect, event(dialect, b" a")) == [" a"]
    assert read(dialect, Named("message", event(dialect, b" a"))) == [" a"]
    assert read(dialect, event(dialect, b"")) == []
    assert read(dialect, b"") == read(dialect, b" ") == []
    assert read(dialect, b"[DONE]") == [END]


@pytest.mark.parametrize("dialect", STREAMS, ids=name_of)
def test_the_two_halves_of_a_character_in_two_events_become_one(dialect: ModuleType) -> None:
    shape = Shape()
    for text in (rb"a\ud83d", rb"\ude00b"):
        for item in read(dialect, event(dialect, text)):
            list(shape.feed(item))
    list(shape.flush())
    assert shape.text == "a\U0001f600b"


@pytest.mark.parametrize("dialect", STREAMS, ids=name_of)
def test_bad_utf8_is_replaced_and_ends_no_stream(dialect: ModuleType) -> None:
    assert read(dialect, event(dialect, b"a\xffb")) == ["a\ufffdb"]


@pytest.mark.parametrize("dialect", STREAMS, ids=name_of)
def test_a_number_that_is_none_ends_no_stream(dialect: ModuleType) -> None:
    assert read(dialect, event(dialect, b"a", b',"score":NaN,"other":-Infinity')) == ["a"]


@pytest.mark.parametrize("dialect", STREAMS, ids=name_of)
@pytest.mark.parametrize(
    "text", [rb"{\"error\":{\"message\":\"x\"}}", b"event: error", b"[DONE]", b"data: [DONE]", b"error: {}"]
)
def test_text_that_looks_like_an_error_or_an_end_is_text(dialect: ModuleType, text: bytes) -> None:
    assert read(dialect, event(dialect, text)) == [json.loads(b'"' + text + b'"')]


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b'{"error":{"message":"it broke"}}', "it broke"),
        (b'{"error":{}}', "without a word"),
        (b'{"error":"","error_type":"generation"}', "generation"),
        (b'{"error":"CUDA error","error_type":"generation"}', "CUDA error"),
        (Named("error", b'{"error":{"message":"it broke"}}'), "it broke"),
        (Named("error", b'{"message":"upstream died","code":502}'), "upstream died"),
        (Named("error", b"upstream died"), "upstream died"),
        (Named("error", b""), "without a word"),
        (b'{"object":"error","message":"it broke","code":500}', "it broke"),
        (b'{"choices":[],"error":{"message":"it broke"}}', "it broke"),
        (Body("application/json", b'{"error":{"message":"it broke"}}'), "it broke"),
        (Body("application/json", b'{"error":"it broke"}'), "it broke"),
        (Body("text/plain", b'error: {"code":500,"message":"it broke","type":"server_error"}'), "it broke"),
    ],
)
def test_every_shape_of_an_error_inside_a_success_is_one(dialect: ModuleType, frame: Frame, words: str) -> None:
    with pytest.raises(ServerError, match=words):
        read(dialect, frame)


@pytest.mark.parametrize("dialect", STREAMS, ids=name_of)
@pytest.mark.parametrize(
    "more", [b',"error":{"message":"it broke"}', b',"error_type":"generation"', b',"error":{}', b',"error":"it broke"']
)
def test_an_error_wins_over_the_text_beside_it(dialect: ModuleType, more: bytes) -> None:
    with pytest.raises(ServerError):
        read(dialect, event(dialect, b"lost", more))


@pytest.mark.parametrize("dialect", STREAMS, ids=name_of)
@pytest.mark.parametrize("more", [b',"error":null', b',"error":""', b',"error":null,"error_type":null'])
def test_an_error_that_is_none_is_none(dialect: ModuleType, more: bytes) -> None:
    assert read(dialect, event(dialect, b"a", more)) == ["a"]


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
@pytest.mark.parametrize(
    "data", [b'{"a":' * 100_000, b"[" * 100_000, b'{"choices":' + b"[" * 100_000, b'{"n":' + b"9" * 5000 + b"}"]
)
def test_hostile_json_is_an_error_of_ours(dialect: ModuleType, data: bytes) -> None:
    for frame in (data, Named("x", data), Named("error", data), Body("application/json", data)):
        try:
            read(dialect, frame)
        except HfgenError as error:
            printable(error)


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (Body("text/html", b"<!doctype html><html><head><title>Sign in</title></head></html>"), "web page.*Sign in"),
        (Body("text/html", b""), "empty body"),
        (Body("application/json", b"  "), "empty body"),
        (Body("application/json", b'{"hello":"world"}'), "is not"),
        (Body("text/plain", b"\x1b[31mgone"), "gone"),
    ],
)
def test_an_answer_that_is_none_is_never_an_empty_success(dialect: ModuleType, body: Body, words: str) -> None:
    with pytest.raises(ServerError, match=words) as caught:
        read(dialect, body)
    assert caught.value.message.isprintable()
    assert "<" not in caught.value.message


# --- OpenAI's family -------------------------------------------------------------------------------------------------


def chunk(**choice: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, **choice}]}).encode()


def test_transformers_serve_has_no_finish_reason_until_the_end() -> None:
    assert read(openai_chat, b'{"choices":[{"delta":{"content":"The"},"index":0}]}') == ["The"]
    end = (
        b'{"choices":[{"delta":{},"index":0,"finish_reason":"stop"}],'
        b'"usage":{"completion_tokens":8,"prompt_tokens":27}}'
    )
    assert read(openai_chat, end) == [Usage(27, 8), FinishReason("stop")]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("eos_token", "stop"),
        ("stop_sequence", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("content_filter", "content_filter"),
        ("SAFETY", "content_filter"),
        ("MAX_TOKENS", "length"),
        ("tool_use", "tool_calls"),
        ("a_new_one", "stop"),
    ],
)
def test_each_reason_to_end_has_its_name(said: str, reason: str) -> None:
    assert read(openai_chat, chunk(delta={}, finish_reason=said)) == [FinishReason(reason)]  # type: ignore[arg-type]


@pytest.mark.parametrize("said", ["", None, "null", "not_finished"])
def test_an_empty_reason_is_no_end(said: object) -> None:
    assert read(openai_completions, chunk(text="a", finish_reason=said)) == ["a"]


@pytest.mark.parametrize(
    "said", ["error", "abort", "insufficient_system_resource", "cancelled", "timeout", "engine_failure"]
)
def test_a_reason_that_is_a_failure_is_no_end(said: str) -> None:
    with pytest.raises(ServerError, match="gave up"):
        read(openai_chat, chunk(delta={"content": "a"}, finish_reason=said))


def test_tgis_reason_that_is_a_failure_is_no_end() -> None:
    with pytest.raises(ServerError, match="gave up"):
        read(tgi, b'{"token":{"text":"a"},"generated_text":"a","details":{"finish_reason":"error"}}')


@pytest.mark.parametrize("reason", ["stop", None])
def test_an_error_inside_a_choice_is_one_whatever_its_reason_to_end(reason: str | None) -> None:
    failed = chunk(delta={"content": ""}, finish_reason=reason, error={"message": "provider gone", "code": 502})
    for frame in (failed, Body("application/json", failed)):
        with pytest.raises(ServerError, match="provider gone"):
            read(openai_chat, frame)


@pytest.mark.parametrize("dialect", STREAMS, ids=name_of)
@pytest.mark.parametrize("data", [b"2026-11-24T10:00:00", b"123", b"alive", b"", b"{}"])
def test_a_ping_with_a_name_of_its_own_says_nothing(dialect: ModuleType, data: bytes) -> None:
    assert not read(dialect, Named("ping", data))


@pytest.mark.parametrize("dialect", STREAMS, ids=name_of)
def test_an_event_with_a_name_of_its_own_that_is_cut_is_an_error(dialect: ModuleType) -> None:
    with pytest.raises(ServerError):
        read(dialect, Named("token", event(dialect, b"a")[:-4]))


def test_null_and_an_empty_list_stand_for_what_is_left_out() -> None:
    assert read(openai_chat, b'{"choices":[{"index":null,"delta":{"content":"a"}}]}') == ["a"]
    usage = b'"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":[]}'
    assert read(openai_chat, b'{"choices":[{"delta":[],"finish_reason":"stop"}],' + usage + b"}") == [
        Usage(1, 2),
        FinishReason("stop"),
    ]
    assert read(tgi, b'{"token":{"text":"a","special":null}}') == ["a"]
    end = b'{"token":{"text":"a"},"generated_text":"a","details":{"finish_reason":null,"generated_tokens":null}}'
    assert read(tgi, end) == ["a", Whole("a"), Usage(), FinishReason("stop"), END]


def test_tgis_full_queue_inside_a_chat_stream_may_be_asked_again() -> None:
    with pytest.raises(RateLimited):
        read(openai_chat, b'{"error":{"message":"Model is overloaded","http_status_code":422}}')
    with pytest.raises(BadRequest):
        read(openai_chat, b'{"error":{"message":"Input validation error: x","http_status_code":422}}')


def test_tool_calls_come_in_every_recorded_form() -> None:
    for calls in (
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}],
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": {}}},
        [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
    ):
        assert read(openai_chat, chunk(delta={"tool_calls": calls})) == [ToolCallDelta(0, "a", "f", "{}")]
    numbered = chunk(delta={"tool_calls": [{"index": 0, "id": 0, "function": {"name": "f", "arguments": None}}]})
    assert read(openai_chat, numbered) == [ToolCallDelta(0, "0", "f", "")]


def test_log_probabilities_come_in_both_forms() -> None:
    new = {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": None}]}]}
    old = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"b": None}], "text_offset": [0]}
    told = Logprobs((TokenLogprob("a", -0.5, (TokenLogprob("b", -9999.0),)),))
    assert read(openai_chat, chunk(delta={"content": "a"}, logprobs=new)) == ["a", told]
    assert read(openai_completions, chunk(text="a", logprobs=old)) == ["a", told]
    assert read(openai_completions, chunk(text="a", logprobs={"tokens": "?", "token_logprobs": 3})) == ["a"]


def test_a_value_of_a_neighbouring_type_ends_no_stream() -> None:
    assert read(openai_chat, b'{"choices":[{"index":"0","delta":{"content":"a"}}]}') == ["a"]


def test_a_whole_answer_to_a_streaming_request_is_taken() -> None:
    whole = chunk(message={"role": "assistant", "content": "Hello"}, finish_reason="stop")
    assert read(openai_chat, Body("application/json", whole)) == ["Hello", FinishReason("stop"), END]


# --- TGI -------------------------------------------------------------------------------------------------------------


def test_tgis_special_tokens_are_markup_and_its_end_is_the_generated_text() -> None:
    special = b'{"token":{"id":2,"text":"</s>","special":true},"generated_text":null,"details":null}'
    assert read(tgi, special) == []
    end = (
        b'{"token":{"text":"!","special":false},"generated_text":"Hi!",'
        b'"details":{"finish_reason":"length","generated_tokens":2,"input_length":5}}'
    )
    assert read(tgi, end) == ["!", Whole("Hi!"), Usage(5, 2), FinishReason("length"), END]
    assert read(tgi, b'{"token":{"text":"!","special":false},"generated_text":""}') == ["!", FinishReason("stop"), END]
    assert read(tgi, b'{"token":null,"generated_text":"all"}') == [Whole("all"), FinishReason("stop"), END]


def test_tgis_log_probabilities_are_told_where_they_were_asked_for() -> None:
    asked = event(tgi, b" a", b',"top_tokens":[{"id":1,"text":" b","logprob":-0.5,"special":false}]')
    told = Logprobs((TokenLogprob(" a", -0.1, (TokenLogprob(" b", -0.5),)),))
    assert read(tgi, asked) == [" a", told]


def test_the_toolkits_answer_is_a_list_or_an_object() -> None:
    for body in (b'[{"generated_text":"Hi"}]', b'{"generated_text":"Hi"}'):
        told = read(toolkit, Body("application/json", body))
        assert told == ["Hi", Usage(completion_tokens=1, estimated=True), FinishReason("stop"), END]


def test_a_toolkit_that_paints_answers_a_prompt_with_a_picture() -> None:
    body = body_of("toolkit", "any_type")
    painted = Media(base64.b64decode(body.strip(b'"')), "image/png")
    picture = ImageResponse(painted, width=32, height=32)
    assert read(toolkit, Body("application/json", body)) == [picture, FinishReason("stop"), END]


def test_a_picture_of_the_toolkit_that_is_cut_is_told_as_one() -> None:
    cut = base64.b64encode(base64.b64decode(body_of("toolkit", "any_type").strip(b'"'))[:1000])
    with pytest.raises(BadPicture):
        read(toolkit, Body("application/json", b'"' + cut + b'"'))


@pytest.mark.parametrize("body", [b'"Hi"', b'"aGVsbG8="', b'""'])
def test_any_other_string_is_no_answer_of_the_toolkit(body: bytes) -> None:
    with pytest.raises(ServerError, match="is not generated text"):
        read(toolkit, Body("application/json", body))
