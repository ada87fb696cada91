"""What a server sends as a picture is taken for one only when its bytes show it: known, whole, of a sensible size.

The one gate of every picture, whether it came as bytes, as base64 in JSON, as a data URL or from an address.
"""

import base64
import binascii
from typing import Final

from hfgen.answers import error_of_event, unreadable
from hfgen.errors import BadPicture
from hfgen.formats import Pixels, dimensions, is_whole
from hfgen.media import Media, sniff

LARGEST: Final = 32 * 2**20
"""Bytes of a picture, as it comes."""
MOST_PIXELS: Final = 64_000_000
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
        data = base64.b64decode(text[start:] if start else text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPicture(f"the picture's base64 is cut or damaged: {error}") from None
    media_type = sniff(data)
    if not media_type:
        raise BadPicture(unreadable(data, "a picture").message, hint=_KINDS)
    return Media(data, media_type)


def too_large(length: int) -> BadPicture:
    """The error for a picture of too many bytes."""
    return BadPicture(f"the picture is larger than {LARGEST // 2**20} MiB ({length} bytes): it is not read")
