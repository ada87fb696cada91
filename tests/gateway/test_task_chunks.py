"""What the gateway says in TGI's words is what hfgen's own client of TGI understands."""

import json

from hypothesis import given, strategies as st

from hfgen.dialects import tgi
from hfgen.events import Event, FinishReason, Reasoning, Usage
from hfgen.gateway.task_chunks import TaskChunks, fault, whole
from hfgen.openai_api.refusal import Refusal
from hfgen.wire import Body, Whole

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
ends = st.sampled_from([FinishReason("stop"), FinishReason("length")])


@given(st.lists(texts, max_size=9), ends, st.integers(0, 99))
def test_any_text_comes_back_as_it_was(pieces: list[str], end: FinishReason, count: int) -> None:
    wording = TaskChunks()
    story: list[Event] = [*pieces, Usage(3, count), end]
    blocks = (b"".join(map(wording.chunk, story)) + wording.end()).split(b"\n\n")[:-1]
    heard = [event for block in blocks for event in tgi.decode(block.removeprefix(b"data:"))]
    assert [event for event in heard if isinstance(event, str)] == pieces
    assert end in heard
    last = json.loads(blocks[-1].removeprefix(b"data:"))
    assert last["generated_text"] == "".join(pieces)
    assert (last["token"]["special"], last["details"]["generated_tokens"]) == (True, count)


@given(st.lists(texts, max_size=9), ends)
def test_a_whole_answer_says_what_the_stream_would_have_said(pieces: list[str], end: FinishReason) -> None:
    heard = tgi.decode(Body("application/json", whole([*pieces, end], details=True)))
    assert "".join(item.text for item in heard if isinstance(item, Whole)) == "".join(pieces)
    assert end in heard


def test_the_prompt_stands_in_front_where_the_full_text_is_asked_for() -> None:
    wording = TaskChunks("Once")
    wording.chunk(" upon")
    assert json.loads(wording.end().removeprefix(b"data:"))["generated_text"] == "Once upon"
    assert json.loads(whole([" upon"], "Once")) == [{"generated_text": "Once upon"}]


def test_thoughts_are_text_like_any_other() -> None:
    assert json.loads(whole([Reasoning("hm "), "yes"])) == [{"generated_text": "hm yes"}]


def test_an_error_has_tgi_s_kind() -> None:
    said = json.loads(fault(Refusal(502, "cut"), "req_1").removeprefix(b"data:"))
    assert said == {"error": "cut", "error_type": "generation", "request_id": "req_1"}
