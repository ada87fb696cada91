"""Pictures in and out of the command line."""

from pathlib import Path
from typing import Final

from hfgen.errors import UsageError
from hfgen.formats import dimensions
from hfgen.media import Media, sniff
from hfgen.messages import ImageURL

_LARGEST: Final = 32 * 2**20
_KIB: Final = 1024


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


def _size(count: int) -> str:
    return (
        f"{count} bytes"
        if count < _KIB
        else f"{count / _KIB:.0f} KiB"
        if count < _KIB**2
        else f"{count / _KIB**2:.1f} MiB"
    )
