"""Pictures inside the terminal: who can show them, and what is written."""

import base64
import io
import re

import pytest
from PIL import Image

from hfgen.cli.preview import Form, drawing, form_of
from hfgen.media import Media
from pictures import picture_of, png

JPEG = picture_of("JPEG", 64, 48)


@pytest.mark.parametrize(
    ("environment", "form"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "mlterm"}, "sixel"),
        ({"TERM": "xterm-256color"}, "none"),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1", "TMUX": "/tmp/tmux"}, "none"),
        ({"TERM": "screen", "TERM_PROGRAM": "iTerm.app"}, "none"),
        ({}, "none"),
    ],
)
def test_a_terminal_is_known_by_its_environment(environment: dict[str, str], form: Form) -> None:
    assert form_of(environment) == form


def test_kitty_gets_the_png_in_pieces_and_answers_nothing() -> None:
    data = png(300, 200) + b"x" * 8000
    pieces = re.findall(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", drawing(Media(data, "image/png"), "kitty"))
    assert pieces[0][0] == "a=T,f=100,q=2,c=48,m=1"
    assert [keys for keys, _ in pieces[1:]] == ["m=1"] * (len(pieces) - 2) + ["m=0"]
    assert all(len(packed) <= 4096 for _, packed in pieces)
    assert base64.b64decode("".join(packed for _, packed in pieces)) == data


def test_a_wide_picture_is_bounded_by_its_width() -> None:
    assert "c=48" in drawing(Media(png(160, 40), "image/png"), "kitty")
    assert "width=48;" in drawing(Media(png(160, 40), "image/png"), "iterm2")
    assert "height=18;" in drawing(Media(png(40, 160), "image/png"), "iterm2")


def test_kitty_gets_a_jpeg_as_png() -> None:
    pieces = re.findall(r"\x1b_G[^;]*;([A-Za-z0-9+/=]*)\x1b\\", drawing(Media(JPEG, "image/jpeg"), "kitty"))
    picture = Image.open(io.BytesIO(base64.b64decode("".join(pieces))))
    assert (picture.format, picture.size) == ("PNG", (64, 48))


def test_iterm2_gets_the_bytes_as_they_are() -> None:
    written = drawing(Media(JPEG, "image/jpeg"), "iterm2")
    assert written.startswith(f"\x1b]1337;File=inline=1;size={len(JPEG)};")
    assert base64.b64decode(written.rpartition(":")[2].rstrip("\x07")) == JPEG


@pytest.mark.parametrize("form", ["kitty", "iterm2"])
def test_a_picture_that_would_fill_the_memory_is_not_shown(form: Form) -> None:
    assert form != "none"
    assert form != "sixel"
    bomb = png(8, 8)[:16] + b"\x00\x00\xc3\x50\x00\x00\xc3\x50" + png(8, 8)[24:]  # 50,000 by 50,000, it says
    assert drawing(Media(bomb, "image/png"), form) == ""


@pytest.mark.parametrize("data", [b"\xff\xd8\xffbroken", JPEG[:200]])
def test_a_broken_jpeg_is_not_shown(data: bytes) -> None:
    assert drawing(Media(data, "image/jpeg"), "kitty") == ""
