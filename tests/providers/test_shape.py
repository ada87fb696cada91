"""What a person sees: whole characters, thought apart from answer, exactly one end."""

import itertools
from collections.abc import Iterable, Sequence

from hypothesis import given, strategies as st

from hfgen.events import Event, FinishReason, Reasoning, ToolCallDelta, Usage
from hfgen.providers.shape import Shape
from hfgen.wire import END, Marker


def run(shape: Shape, events: Iterable[Event | Marker]) -> list[Event]:
    out: list[Event] = []
    for event in events:
        out.extend(shape.feed(event))
    out.extend(shape.end("m", "s", 1))
    return out


def text_of(events: Sequence[Event]) -> str:
    return "".join(event for event in events if isinstance(event, str))


def thought_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Reasoning))


def cut(text: str, places: Iterable[int]) -> list[str]:
    edges = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def test_text_passes_as_it_is_and_ends_once() -> None:
    out = run(Shape(), ["Hello", " world", FinishReason("stop"), Usage(3, 2), END])
    assert out == ["Hello", " world", Usage(3, 2), FinishReason("stop", model="m", server="s")]


@given(
    st.lists(st.text(st.characters(), max_size=3), max_size=6),
    st.sampled_from(["", "\ud83d"]),
)
def test_many_pieces_at_once_are_shaped_as_one_by_one(pieces: list[str], begun: str) -> None:
    one, many = Shape(), Shape()
    for shape in (one, many):
        list(shape.feed("Hello"))
        list(shape.feed(begun))
    single = [event for piece in pieces for event in one.feed(piece)]
    assert many.plain
    assert list(many.feed_texts([*pieces])) == single
    assert (many.pieces, many.received) == (one.pieces, one.received)
    assert list(many.flush()) == list(one.flush())


def test_usage_is_counted_where_the_server_does_not_tell_it() -> None:
    out = run(Shape(), ["a", "b", FinishReason("length")])
    assert out[-2] == Usage(completion_tokens=2, estimated=True)
    assert out[-1] == FinishReason("length", model="m", server="s")


def test_the_last_of_many_cumulative_usages_counts() -> None:
    out = run(Shape(), ["a", Usage(5, 1), "b", Usage(5, 2), FinishReason("stop")])
    assert [event for event in out if isinstance(event, Usage)] == [Usage(5, 2)]


def test_a_closed_stream_without_a_reason_is_not_complete() -> None:
    shape = Shape()
    list(shape.feed("half an ans"))
    list(shape.feed(END))
    assert not shape.complete


def test_tool_calls_may_end_with_done_alone() -> None:
    shape = Shape()
    list(shape.feed(ToolCallDelta(0, "call_1", "add", "{}")))
    list(shape.feed(END))
    assert shape.complete
    assert list(shape.end("m", "s", 1))[-1] == FinishReason("tool_calls", model="m", server="s")


def test_half_of_a_calls_arguments_is_no_end() -> None:
    shape = Shape()
    for item in (ToolCallDelta(0, "a", "f", '{"x":'), END):
        list(shape.feed(item))
    assert not shape.complete


def test_a_stop_after_tool_calls_is_a_tool_call() -> None:
    out = run(Shape(), [ToolCallDelta(0, "a", "f", "{}"), FinishReason("stop")])
    assert out[-1] == FinishReason("tool_calls", model="m", server="s")


def test_name_and_id_of_a_call_are_told_once() -> None:
    repeated = [ToolCallDelta(0, "a", "f", piece) for piece in ('{"x"', ": 1}", "")]
    out = [event for event in run(Shape(), [*repeated, END]) if isinstance(event, ToolCallDelta)]
    assert out == [ToolCallDelta(0, "a", "f", '{"x"'), ToolCallDelta(0, "", "", ": 1}")]


@given(st.lists(st.integers(0, 200), max_size=12))
def test_thinking_is_told_apart_however_the_text_is_cut(places: list[int]) -> None:
    text = "\n<think>\nA < B, so </thin is no tag.\n</think>\n\n    indented <think> is text"
    out = run(Shape(), [*cut(text, places), FinishReason("stop")])
    assert thought_of(out) == "A < B, so </thin is no tag.\n"
    assert text_of(out) == "    indented <think> is text"


@given(st.text(alphabet="<think>/ab \n", max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_text_that_opens_no_thought_is_kept_to_the_letter(text: str, places: list[int]) -> None:
    if text.lstrip().startswith("<think>"):
        text = "x" + text
    assert text_of(run(Shape(), [*cut(text, places), FinishReason("stop")])) == text


def test_a_prompt_that_opened_the_thought_makes_the_answer_begin_inside_it() -> None:
    out = run(Shape(thinking=True), ["so ", "be it</think>\n", "\nYes", FinishReason("stop")])
    assert (thought_of(out), text_of(out)) == ("so be it", "Yes")


@given(st.lists(st.integers(0, 60), max_size=8))
def test_a_stop_string_is_cut_off_even_across_pieces(places: list[int]) -> None:
    shape = Shape(stop=("\nUser:", "###"))
    out: list[Event] = []
    for piece in cut("The answer\nUses # and ##, then\nUser: more ###", places):
        out.extend(shape.feed(piece))
    assert text_of(out) == "The answer\nUses # and ##, then"
    assert shape.finish == "stop"


def test_what_looked_like_a_stop_string_is_given_back_at_the_end() -> None:
    assert text_of(run(Shape(stop=("###",)), ["a", "##", FinishReason("stop")])) == "a##"


def test_the_two_halves_of_a_character_are_joined_and_a_lone_half_is_replaced() -> None:
    smile = "\U0001f600"
    high, low = "\ud83d", "\ude00"
    assert text_of(run(Shape(), ["a" + high, low + "b", FinishReason("stop")])) == f"a{smile}b"
    assert text_of(run(Shape(), [high, low, FinishReason("stop")])) == smile
    assert text_of(run(Shape(), ["a" + high, "b", FinishReason("stop")])) == "a\ufffdb"
    assert text_of(run(Shape(), ["a", high, FinishReason("stop")])) == "a\ufffd"


def test_a_rendered_prompt_loses_the_tokenizers_white_space_but_no_indentation() -> None:
    def trimmed(*pieces: str) -> str:
        return text_of(run(Shape(trim=True), [*pieces, FinishReason("stop")]))

    assert trimmed(" Hello") == "Hello"
    assert trimmed(" ", "\n", "  Hi") == "  Hi"
    assert trimmed("\n\n", "    return 1") == "    return 1"
    assert trimmed("    return 1") == "    return 1"
    assert text_of(run(Shape(), [" Hello", FinishReason("stop")])) == " Hello"
