"""Where a broken answer and its continuation meet."""

import itertools
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, strategies as st

from hfgen.providers.seam import Join, NotContinued, OpenSeam, Seam, anchor

ANSWER = "The fox ran over the hill, and the fox ran back: 1.0 1.0 1.0 straightforwardly 😀 étude. It is late."
WORDS = st.lists(
    st.sampled_from(["the", "fox", "ran", "a", "1.0", "日本語のテキスト", "é", "👩‍👩‍👧", "x\n\ny", "straightforwardly"])
)


def cut(text: str, places: Iterable[int]) -> list[str]:
    edges = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def joined(join: Join, pieces: Iterable[str]) -> str:
    """All new text of a continuation that arrives in these pieces and then ends."""
    pieces = iter(pieces)
    for piece in pieces:
        new = join.feed(piece)
        if new is not None:
            return new + "".join(pieces)
    return join.end()


def goes_on(received: str, rest: str) -> str:
    return received[anchor(received) :] + rest


def trims(received: str, rest: str) -> str:
    return goes_on(received, rest).lstrip()


def starts_over(received: str, rest: str) -> str:
    return received + rest


def repeats_some(received: str, rest: str) -> str:
    return received[max(0, anchor(received) - 9) :] + rest


@pytest.mark.parametrize("server", [goes_on, trims, starts_over, repeats_some])
@given(at=st.integers(1, len(ANSWER) - 1), places=st.lists(st.integers(0, 200), max_size=6))
def test_no_text_is_lost_or_repeated_whatever_the_server_does(
    server: Callable[[str, str], str], at: int, places: list[int]
) -> None:
    received, rest = ANSWER[:at], ANSWER[at:]

    new = joined(Seam(received, anchor(received)), cut(server(received, rest), places))

    assert received + new == ANSWER


@given(words=WORDS, at=st.integers(0, 500), places=st.lists(st.integers(0, 200), max_size=4))
def test_a_text_of_repeated_words_is_continued_to_the_letter(words: list[str], at: int, places: list[int]) -> None:
    answer = " ".join(words) + "."
    received, rest = answer[: at % len(answer)], answer[at % len(answer) :]

    new = joined(Seam(received, anchor(received)), cut(goes_on(received, rest), places))

    assert received + new == answer


@given(st.text(max_size=200))
def test_a_prefix_ends_in_a_word_and_never_in_front_of_a_character_that_belongs_to_it(text: str) -> None:
    place = anchor(text)

    assert text[:place] == text[:place].rstrip()
    assert text[place : place + 1] not in ("\u200d", "\ufe0f", "\u0301")


def test_more_words_are_taken_back_while_the_same_ones_stand_a_little_earlier() -> None:
    assert anchor("one two three") == len("one two")
    assert anchor("go on and on") == len("go on")
    assert anchor("the fox and the") == len("the fox")


def test_a_long_text_without_spaces_is_cut_inside_it() -> None:
    text = "日本語のテキスト" * 40 + "終わり"

    assert 0 < anchor(text) < len(text)
    assert len(text) - anchor(text) <= 320


@pytest.mark.parametrize("came", ["I am sorry, but", "The cat", "on the hill"])
def test_another_answer_is_no_continuation(came: str) -> None:
    received = "The fox ran over the hill"

    with pytest.raises(NotContinued):
        joined(Seam(received, anchor(received)), list(came))


def test_an_answer_that_ends_too_early_is_no_continuation() -> None:
    received = "The fox ran over the hi"

    with pytest.raises(NotContinued, match="ended its answer before"):
        joined(Seam(received, anchor(received)), ["h"])


def test_the_halves_of_a_character_are_one_at_the_seam_too() -> None:
    received = "I smile 😀 an"

    assert joined(Seam(received, len("I smile")), [" \ud83d", "\ude00", " and"]) == "d"


@pytest.mark.parametrize(
    ("received", "came", "new"),
    [
        ("The fox ", "ran", "ran"),
        ("The fox ", " ran", "ran"),
        ("The fox", " ran", " ran"),
        ("The fo", "x ran", "x ran"),
        ("The fox\n\n", "\n\n- ran", "- ran"),
        ("The fox", "The fox ran", " ran"),
        ("The fox ", "The fox ran", "ran"),
        ("The fox", "The end", "The end"),
    ],
)
def test_with_sampling_the_text_goes_on_as_it_comes_unless_the_server_starts_over(
    received: str, came: str, new: str
) -> None:
    assert joined(OpenSeam(received), list(came)) == new
