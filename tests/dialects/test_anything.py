"""Whatever comes over the wire, only an error of ours comes out, and in time."""

import json
import time
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from hfgen.answers import error_of_answer, error_of_event
from hfgen.dialects import (
    fal,
    hf_image,
    nscale,
    openai_chat,
    openai_completions,
    openai_images,
    replicate,
    tgi,
    together,
    toolkit,
    wavespeed,
    zai,
)
from hfgen.errors import HfgenError
from hfgen.wire import Body, Frame, Named

DIALECTS = [openai_chat, openai_completions, tgi, toolkit]
PAINT = [fal, hf_image, nscale, openai_images, replicate, together, wavespeed, zai]
KEYS = (  # noqa: SIM905 - a list of forty lines would hide the tests
    "choices delta message content text index finish_reason logprobs tool_calls function name arguments id usage "
    "prompt_tokens completion_tokens_details error error_type type code http_status_code object token special "
    "generated_text details top_tokens logprob data b64_json output detail loc msg estimated_time request_id thinking "
    "reasoning tokens token_logprobs top_logprobs status task_status urls get cancel response_url queue_position "
    "images image url outputs image_result has_nsfw_concepts seed revised_prompt"
).split()

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(
        ["IN_QUEUE", "IN_PROGRESS", "COMPLETED", "processing", "succeeded", "failed", "completed", "SUCCESS"]
    )
    | st.sampled_from(
        ["https://a.b/v1/x", "http://[::1", "file:///etc/passwd", "data:image/png;base64,iVBORw0KGgo=", "//"]
    )
    | st.sampled_from(["error", "[DONE]", "\ud83d", "<title>", "length", "429", "overloaded", "model_not_supported"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)
documents = st.dictionaries(st.sampled_from(KEYS), values, max_size=8)
bodies = (
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | (documents | values).map(lambda value: json.dumps(value).encode())
    | documents.map(lambda value: b'data: {"choices":[' + json.dumps(value).encode() + b"]}")
    | documents.map(lambda value: b'{"choices":[' + json.dumps(value).encode() + b"]}")
)


def frames(data: bytes) -> list[Frame]:
    return [data, Named("error", data), Named("x", data), Body("application/json", data), Body("text/html", data)]


def printable(error: HfgenError) -> None:
    text = f"{error}{error!r}{error.message}{error.request_id}"
    text.encode()
    assert "\x1b" not in text


@pytest.mark.parametrize("dialect", [*DIALECTS, *PAINT], ids=lambda module: module.__name__.rpartition(".")[2])
@given(data=bodies)
@settings(max_examples=150, deadline=None)
def test_only_an_error_of_ours_comes_out_of_a_dialect(dialect: ModuleType, data: bytes) -> None:
    for frame in frames(data):
        try:
            list(dialect.decode(frame))
        except HfgenError as error:
            printable(error)


header_values = st.text(st.characters(max_codepoint=255), max_size=60) | st.sampled_from(
    ["nan", "-1", "1e999", "http://[::1", "//", "Tue, 99 Foo 0000 99:99:99", "Mon, 1 Jan 99999999999 00:00:00 +9999"]
)
headers = st.dictionaries(
    st.sampled_from(["Retry-After", "retry-after-ms", "Date", "ratelimit", "Location", "X-Request-Id"]), header_values
)


@given(status=st.integers(300, 599), given_headers=headers, data=bodies, url=st.text(max_size=30))
@settings(max_examples=250, deadline=None)
def test_an_error_comes_out_of_any_answer(status: int, given_headers: dict[str, str], data: bytes, url: str) -> None:
    error = error_of_answer(status, given_headers, data, url=url)
    printable(error)
    wait: Any = getattr(error, "retry_after", None)
    assert wait is None or 0 <= wait < 1e12


@given(data=bodies, name=st.sampled_from(["", "error", "message"]))
@settings(max_examples=250, deadline=None)
def test_an_error_or_none_comes_out_of_any_event(data: bytes, name: str) -> None:
    error = error_of_event(data, name=name)
    assert error is not None or name != "error"
    if error is not None:
        printable(error)


@given(piece=st.binary(min_size=1, max_size=12) | st.sampled_from([b"<title>", b"<a", b"[", b'{"a":', b'"\\ud83d",']))
@settings(max_examples=20, deadline=None)
def test_the_time_grows_with_the_size_and_no_faster(piece: bytes) -> None:
    data = piece * (65536 // len(piece))
    start = time.process_time()
    error_of_answer(500, {}, data)
    for dialect in [*DIALECTS, *PAINT]:
        for frame in frames(data):
            try:
                list(dialect.decode(frame))
            except HfgenError:
                continue
    assert time.process_time() - start < 2.0  # of 26 readings of 64 KiB
