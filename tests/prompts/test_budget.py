"""What goes of a conversation that is too long, and what never does."""

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from hfgen.errors import PromptError
from hfgen.messages import Message, Messages, text_of
from hfgen.prompts.budget import estimate, fit, room


def plain(messages: Messages) -> str:
    return "".join(f"{text_of(message.get('content'))};" for message in messages)


def said(role: str, text: str) -> Message:
    return {"role": role, "content": text}  # type: ignore[typeddict-item]


LONG = [
    said("system", "S"),
    *(turn for number in range(9) for turn in (said("user", f"U{number}"), said("assistant", f"A{number}"))),
    said("user", "last"),
]


def test_what_fits_stays_as_it_is() -> None:
    fitted = fit(LONG, plain, 1000, len)
    assert fitted.messages is LONG
    assert fitted.dropped == 0


def test_the_oldest_turns_go_whole_and_no_more_than_needed() -> None:
    fitted = fit(LONG, plain, 20, len)
    assert plain(fitted.messages) == "S;U7;A7;U8;A8;last;"
    assert (fitted.dropped, fitted.tokens) == (14, 19)


def test_calls_of_tools_stay_with_their_results() -> None:
    call: Message = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    talk = [said("user", "U" * 50), call, said("tool", "T"), said("assistant", "A"), said("user", "last"), call]
    assert fit(talk, plain, 20, len).messages == talk[4:]


def test_a_system_message_in_the_middle_stays() -> None:
    talk = [said("user", "U" * 50), said("system", "late"), said("assistant", "A"), said("user", "last")]
    assert plain(fit(talk, plain, 20, len).messages) == "late;last;"


def test_what_cannot_fit_is_an_error_with_both_numbers() -> None:
    with pytest.raises(PromptError, match="takes 7 tokens with the system message, and 6 fit"):
        fit(LONG, plain, 6, len)


def test_few_counts_are_enough() -> None:
    counts: list[str] = []

    def count(text: str) -> int:
        counts.append(text)
        return len(text)

    talk = [said("user" if number % 2 == 0 else "assistant", "x" * 9) for number in range(1001)]
    assert fit(talk, plain, 500, count).tokens <= 500
    assert len(counts) <= 12


def test_an_answer_has_its_room_but_never_more_than_half() -> None:
    assert room(8192, 1024) == 7168
    assert room(1024, 1024) == 512
    assert room(1024, None) == 1024


def test_an_estimate_is_rather_too_high() -> None:
    assert estimate("") == 0
    assert estimate("Hello world") == 4
    assert estimate("漢字") == 2
    assert estimate("\ud800") == 1


@given(
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=9)), min_size=1),
    st.integers(0, 60),
)
def test_whatever_goes_goes_from_the_front_and_the_rest_fits(spoken: Sequence[tuple[str, str]], limit: int) -> None:
    talk = [said(role, text) for role, text in spoken]
    try:
        fitted = fit(talk, plain, limit, len)
    except PromptError:
        return
    kept = [id(message) for message in fitted.messages]
    assert len(plain(fitted.messages)) == fitted.tokens <= limit
    assert [id(m) for m in talk if m["role"] == "system"] == [id(m) for m in fitted.messages if m["role"] == "system"]
    spoken_ids = [id(m) for m in talk if m["role"] != "system"]
    rest = [one for one in kept if one in spoken_ids]
    assert spoken_ids[len(spoken_ids) - len(rest) :] == rest
    assert fitted.dropped == len(talk) - len(fitted.messages)
