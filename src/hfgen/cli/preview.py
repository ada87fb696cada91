"""A picture inside the terminal, where it can show one; the form is told by the environment, nothing is asked of it.

Sources: kitty's graphics protocol (sw.kovidgoyal.net/kitty/graphics-protocol), iTerm2's inline images
(iterm2.com/documentation-images.html), DEC sixel by textual-image.
"""

import base64
import io
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final, Literal, TypeAlias

from hfgen.cli.terminal import draws
from hfgen.errors import HfgenError
from hfgen.formats import dimensions
from hfgen.media import Media, sniff
from hfgen.pixels import opened

Form: TypeAlias = Literal["kitty", "iterm2", "sixel", "none"]

_COLUMNS: Final = 48
_ROWS: Final = 18
_TALL: Final = 2  # a cell is about twice as tall as wide
_CHUNK: Final = 4096  # kitty's longest payload
_MOST_BYTES: Final = 32 * 2**20
_MOST_PIXELS: Final = 64_000_000
_SIXEL_TERMS: Final = ("foot", "mlterm", "contour", "yaft")


def form_of(environment: Mapping[str, str]) -> Form:
    """What this terminal shows pictures in; "none" inside tmux and screen, which swallow them."""
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if environment.get("TMUX") or environment.get("STY") or term.startswith(("tmux", "screen")):
        return "none"
    if program in ("iTerm.app", "WezTerm", "mintty"):
        return "iterm2"
    if environment.get("KITTY_WINDOW_ID") or term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty":
        return "kitty"
    return "sixel" if term.partition("-")[0] in _SIXEL_TERMS else "none"


def show(media: Media, form: Form) -> None:
    """Draw a picture on stderr, if it is a terminal; in silence nothing where it cannot be done."""
    if form == "none" or not draws(sys.stderr):
        return
    if form == "sixel":
        _show_sixel(media)
    elif drawn := drawing(media, form):
        sys.stderr.write(drawn + "\n")
        sys.stderr.flush()


def drawing(media: Media, form: Literal["kitty", "iterm2"]) -> str:
    """The control sequences that draw a picture, "" where they cannot be had."""
    size = dimensions(media)
    if len(media.data) > _MOST_BYTES or (size and size[0] * size[1] > _MOST_PIXELS):
        return ""
    if form == "iterm2":
        return _iterm2(media.data, size)
    png = media.data if media.media_type == "image/png" else _as_png(media.data)
    return "".join(_kitty(png, dimensions(Media(png, "image/png")))) if png else ""


def _iterm2(data: bytes, size: tuple[int, int] | None) -> str:
    side = f"width={_COLUMNS}" if _is_wide(size) else f"height={_ROWS}"
    packed = base64.b64encode(data).decode("ascii")
    return f"\x1b]1337;File=inline=1;size={len(data)};{side};preserveAspectRatio=1:{packed}\x07"


def _kitty(png: bytes, size: tuple[int, int] | None) -> Iterator[str]:
    """Transmit and show at once (a=T), as PNG (f=100), without an answer (q=2), in pieces (m=1 but for the last)."""
    side = f"c={_COLUMNS}" if _is_wide(size) else f"r={_ROWS}"
    packed = base64.b64encode(png).decode("ascii")
    for place in range(0, len(packed), _CHUNK):
        more = int(place + _CHUNK < len(packed))
        keys = f"a=T,f=100,q=2,{side},m={more}" if place == 0 else f"m={more}"
        yield f"\x1b_G{keys};{packed[place : place + _CHUNK]}\x1b\\"


def _is_wide(size: tuple[int, int] | None) -> bool:
    """Whether the width is what first reaches the edge of the box for previews."""
    return size is not None and size[0] * _ROWS * _TALL >= size[1] * _COLUMNS


def _as_png(data: bytes) -> bytes:
    """The picture as a small PNG; nothing without Pillow, or where the bytes are not what they seem."""
    packed = io.BytesIO()
    try:
        picture = opened(Media(data, sniff(data)))
        picture.thumbnail((1024, 1024))
        picture.convert("RGB").save(packed, "PNG")
    except (OSError, HfgenError):
        return b""
    return packed.getvalue()


def _show_sixel(media: Media) -> None:
    try:
        # An optional part. Its import asks a terminal on stdout what it can (DA1, kitty's query; decision 0013).
        library = import_module("textual_image.renderable")
    except ImportError:
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import

    png = media.data if media.media_type == "image/png" else _as_png(media.data)
    size = dimensions(Media(png, "image/png"))
    if size is None or size[0] * size[1] > _MOST_PIXELS:
        return
    box = {"width": _COLUMNS} if _is_wide(size) else {"height": _ROWS}
    try:
        Console(stderr=True).print(library.SixelImage(io.BytesIO(png), **{"width": "auto", "height": "auto", **box}))
    except (OSError, ValueError):
        return
