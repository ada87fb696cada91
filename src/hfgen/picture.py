"""What a server sends as a picture is taken for one only when its bytes show it: known, whole, of a sensible size.

The one gate of every picture, whether it came as bytes, as base64 in JSON, as a data URL or from an address.
"""

import binascii
import time
from collections.abc import Iterator
from typing import Final

from hfgen.answers import error_of_event, unreadable
from hfgen.errors import BadPicture
from hfgen.formats import Pixels, dimensions, is_whole
from hfgen.media import Media, sniff

LARGEST: Final = 32 * 2**20
"""Bytes of a picture, as it comes."""
MOST_PIXELS: Final = 64_000_000
_SLICE: Final = 2**18
"""Characters of base64 that are decoded in one go, 1 ms; a multiple of four."""
_TURN: Final = 50e-6
_LONGEST_SCHEME: Final = 32
_KINDS: Final = "PNG, JPEG, WebP, GIF, BMP and AVIF are known."


def picture(data: bytes) -> tuple[Media, Pixels]:
    """The picture that these bytes are, and its size; nothing is decoded.

    Raises:
        BadPicture: It is cut, damaged, or too large.
        HfgenError: It is an error in place of a picture, a web page, or nothing at all.
    """
    media_type = sniff(data)
    if not media_type:
        raise error_of_event(data) or unreadable(data, "a picture")
    if len(data) > LARGEST:
        raise too_large(len(data))
    media = Media(data, media_type)
    size = dimensions(media)
    if size is None:
        raise BadPicture(f"the picture ({media_type}) is cut or damaged: its head does not tell its size")
    if size.width * size.height > MOST_PIXELS:
        raise BadPicture(
            f"the picture is {size.width} x {size.height} pixels: more than {MOST_PIXELS // 10**6} million",
            hint="Ask for a smaller one (width=, height=).",
        )
    if not is_whole(media):
        raise BadPicture(f"the picture ({media_type}, {len(data)} bytes) is cut or damaged", hint="Ask for it again.")
    return media, size


def scheme_of(text: str) -> str:
    """The scheme of an address or a data URL; "" for base64, which has no colon."""
    return text[: max(0, text.find(":", 0, _LONGEST_SCHEME))].lower()


def unpacked(text: str) -> Media:
    """The picture in base64, bare or as a data URL; its length is checked before it is decoded.

    Raises:
        BadPicture: It is too large, or no base64.
        HfgenError: What is in it is no picture.
    """
    start = text.find(",") + 1 if text.startswith("data:") else 0
    length = (len(text) - start) // 4 * 3
    if length > LARGEST + 3:
        raise too_large(length)
    if start and not text[:start].lower().endswith(";base64,"):
        raise BadPicture("the picture comes as a data URL that is not in base64")
    try:
        data = b"".join(_decoded(text, start))
    except ValueError as error:  # binascii.Error is one
        raise BadPicture(f"the picture's base64 is cut or damaged: {error}") from None
    media_type = sniff(data)
    if not media_type:
        raise BadPicture(unreadable(data, "a picture").message, hint=_KINDS)
    return Media(data, media_type)


def _decoded(text: str, start: int) -> Iterator[bytes]:
    """The base64 from `start` on, in slices: decoding holds the interpreter's lock, some 4 ms for each MiB."""
    for place in range(start, len(text), _SLICE):
        if place > start:
            time.sleep(_TURN)  # so much text is read in a thread, and the event loop has its turn here
        piece = binascii.a2b_base64(text[place : place + _SLICE], strict_mode=True)
        if place + _SLICE < len(text) and len(piece) != _SLICE // 4 * 3:
            raise ValueError("padding before its end")
        yield piece


def too_large(length: int) -> BadPicture:
    """The error for a picture of too many bytes."""
    return BadPicture(f"the picture is larger than {LARGEST // 2**20} MiB ({length} bytes): it is not read")
