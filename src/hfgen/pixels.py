"""A picture opened with Pillow, which is an extra: the only module that imports it."""

import io
import warnings
from typing import TYPE_CHECKING, Final

from hfgen.errors import BadPicture, UsageError
from hfgen.media import Media

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")


def opened(media: Media) -> "Image":
    """The picture, all of its pixels read.

    Raises:
        UsageError: Pillow is not installed.
        BadPicture: Pillow cannot read it, or it is a decompression bomb.
    """
    try:
        from PIL import Image  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError("opening a picture needs Pillow", hint="pip install 'hfgen[images]'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(media.data), formats=_FORMATS)
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadPicture(f"the picture ({media.media_type}) cannot be opened: {error}") from error
    return image
