"""Pictures in and out of the command line."""

import re
import struct
from pathlib import Path
from typing import Final

from hfgen.errors import UsageError
from hfgen.media import Media, sniff
from hfgen.messages import ImageURL

_LARGEST: Final = 32 * 2**20
_KIB: Final = 1024
# JPEG, ITU T.81 B.2.2: a start-of-frame marker, its length and precision, then height and width.
_FRAME: Final = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]..[\x08\x0c](....)", re.DOTALL)


def attached(place: str) -> ImageURL:
    """A picture to send along: an address as it is, a file with all its bytes.

    Raises:
        UsageError: No such file, or it is no picture.
    """
    if place.startswith(("http://", "https://", "data:")):
        return {"url": place}
    file = Path(place).expanduser()
    try:
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"{place} is larger than {_LARGEST // 2**20} MiB", hint="Make the picture smaller.")
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror or error}", hint="-a takes a file or a URL.") from error
    media_type = sniff(data)
    if not media_type:
        raise UsageError(f"{place} is no picture", hint="PNG, JPEG, GIF, WebP, BMP and AVIF are known.")
    return {"url": Media(data, media_type).data_url()}


def described(media: Media) -> str:
    """What a picture is, for a person: type, width and height where they can be read, size."""
    size = dimensions(media)
    across = f" {size[0]}x{size[1]}" if size else ""
    return f"picture: {media.media_type}{across}, {_size(len(media.data))}"


def dimensions(media: Media) -> tuple[int, int] | None:
    """Width and height in pixels, read from the head of a PNG, GIF or JPEG; None where they cannot be."""
    data = media.data
    try:
        match media.media_type:
            case "image/png":
                width, height = struct.unpack_from(">II", data, 16)
            case "image/gif":
                width, height = struct.unpack_from("<HH", data, 6)
            case "image/jpeg":
                frame = _FRAME.search(data)
                height, width = struct.unpack(">HH", frame[1]) if frame else (0, 0)
            case _:
                return None
    except struct.error:
        return None
    return (width, height) if width and height else None


def _size(count: int) -> str:
    return (
        f"{count} bytes"
        if count < _KIB
        else f"{count / _KIB:.0f} KiB"
        if count < _KIB**2
        else f"{count / _KIB**2:.1f} MiB"
    )
