"""Text inside a PNG: a reader that is not ours finds it, and the picture is what it was."""

import io

import pytest
from hypothesis import given, strategies
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from hfgen.png_text import with_texts
from pictures import png


def read(data: bytes) -> PngImageFile:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    assert isinstance(picture, PngImageFile)
    return picture


@pytest.mark.parametrize("text", ["a red fox", "", "two\nlines", "Füchse, 狐狸, 🦊", "x" * 100_000])
def test_pillow_reads_the_text_and_checks_its_sum(text: str) -> None:
    assert read(with_texts(png(64, 48), {"parameters": text})).text == {"parameters": text}


@given(strategies.text())
def test_any_text_can_be_written_but_nul_and_halves_of_characters(text: str) -> None:
    allowed = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    assert read(with_texts(png(8, 8), {"hfgen": text})).text == {"hfgen": allowed}


def test_every_byte_of_the_picture_stays_where_it_was() -> None:
    before = png(64, 48)
    after = with_texts(before, {"hfgen": "a", "parameters": "b"})
    assert after.startswith(before[:-12])
    assert after.endswith(before[-12:])
    assert read(after).tobytes() == read(before).tobytes()


def test_a_text_that_is_there_is_kept() -> None:
    first = with_texts(png(64, 48), {"parameters": "the provider's"})
    assert read(with_texts(first, {"parameters": "ours", "hfgen": "x"})).text == {
        "parameters": "the provider's",
        "hfgen": "x",
    }


def test_what_follows_the_end_stays_behind_it() -> None:
    assert with_texts(png(64, 48) + b"trailer", {"hfgen": "x"}).endswith(b"IEND\xaeB`\x82trailer")


@given(strategies.integers(0, len(png(8, 8)) - 1))
def test_a_png_that_is_cut_comes_back_as_it_is(place: int) -> None:
    cut = png(8, 8)[:place]
    assert with_texts(cut, {"hfgen": "x"}) == cut


@given(strategies.binary())
def test_what_is_no_png_comes_back_as_it_is(data: bytes) -> None:
    assert with_texts(data, {"hfgen": "x"}) == data
    assert with_texts(b"\x89PNG\r\n\x1a\n" + data, {"hfgen": "x"}).startswith(b"\x89PNG\r\n\x1a\n")
